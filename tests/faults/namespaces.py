"""Network namespaces: places in one box with an address of their own each, joined by a bridge, cut off at will.

Needs root and ``ip`` (Debian: iproute2). Names are new ones for every use, and are removed in the end.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# for tests of networks (RFC 2544): no real network has it
NETWORK = ipaddress.ip_network("198.18.0.0/15")


@dataclass(frozen=True)
class Place:
    """A namespace. ``cable``: the end of its cable on the bridge, outside of it."""

    name: str
    address: str
    cable: str

    @property
    def within(self) -> Sequence[str]:
        """What a command has to begin with to run here."""
        return ("ip", "netns", "exec", self.name)

    def received(self) -> int:
        """Bytes that came to it so far."""
        return self._count("tx")

    def sent(self) -> int:
        """Bytes that it sent so far."""
        return self._count("rx")

    def cut(self) -> None:
        """Pulls its cable."""
        _ip("link", "set", self.cable, "down")

    def mend(self) -> None:
        """Plugs it in again."""
        _ip("link", "set", self.cable, "up")

    def _count(self, direction: str) -> int:
        return int(Path(f"/sys/class/net/{self.cable}/statistics/{direction}_bytes").read_text())


@contextlib.contextmanager
def namespaces(count: int) -> Iterator[list[Place]]:
    """So many places on one bridge, which has an address in their network itself."""
    if os.geteuid() or not shutil.which("ip"):
        raise RuntimeError("network namespaces need root and Debian's iproute2 (apt-get install iproute2)")
    unique = f"kd{secrets.token_hex(3)}"  # an interface's name has at most 15 characters
    network = _network()
    hosts = iter(network.hosts())
    bridge, own = f"{unique}b", str(next(hosts))
    places = [Place(f"{unique}-{i}", str(next(hosts)), f"{unique}v{i}") for i in range(count)]
    try:
        _ip("link", "add", bridge, "type", "bridge", "forward_delay", "0")
        _ip("address", "add", f"{own}/{network.prefixlen}", "dev", bridge)
        _ip("link", "set", bridge, "up")
        for place in places:
            _build(place, bridge, own, network.prefixlen)
        yield places
    finally:
        for place in places:
            _ip("netns", "delete", place.name, check=False)  # its end of the cable goes with it, and so the other
            _ip("link", "delete", place.cable, check=False)
        _ip("link", "delete", bridge, check=False)


def _build(place: Place, bridge: str, gateway: str, prefix: int) -> None:
    _ip("netns", "add", place.name)
    _ip("link", "add", place.cable, "type", "veth", "peer", "name", "eth0", "netns", place.name)
    _ip("link", "set", place.cable, "master", bridge, "up")
    inside = ("-netns", place.name)
    _ip(*inside, "link", "set", "lo", "up")
    _ip(*inside, "address", "add", f"{place.address}/{prefix}", "dev", "eth0")
    _ip(*inside, "link", "set", "eth0", "up")
    _ip(*inside, "route", "add", "default", "via", gateway)  # Ray asks the routes for a machine's own address


def _network() -> ipaddress.IPv4Network:
    """A network that no interface of this machine is in."""
    taken = subprocess.run(["ip", "-4", "route"], capture_output=True, text=True, check=True).stdout
    return next(n for n in NETWORK.subnets(new_prefix=24) if str(n) not in taken)  # type: ignore[misc]


def _ip(*words: str, check: bool = True) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
