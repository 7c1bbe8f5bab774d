"""What a running sweep shows to others: where it listens, and whether a secret can be seen; and what it leaves."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import pickletools
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import sweeping

pytestmark = pytest.mark.fault
TOKEN, SECRET, KEY = "4d4f9b1c-token-of-ray-5577", "aws/SECRET+of+the+person/91", "AKIAPERSON"
LISTENING = "0A"  # of /proc/net/tcp


def sockets() -> Iterator[tuple[int, str, str]]:
    """(inode, protocol, address:port) of every listening TCP and every bound UDP socket of this network namespace."""
    for protocol in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{protocol}").read_text().splitlines()[1:]:
            words = line.split()
            if protocol.startswith("udp") or words[3] == LISTENING:
                yield int(words[9]), protocol, words[1]


def address_of(text: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    """Of '0100007F:1F90': the kernel writes words of 32 bits, in the machine's own order."""
    words, _, port = text.partition(":")
    raw = b"".join(struct.pack("=I", int(words[i : i + 8], 16)) for i in range(0, len(words), 8))
    found = ipaddress.ip_address(raw)
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found, int(port, 16)


def held(process: psutil.Process) -> set[int]:
    """The inodes of a process's sockets."""
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in os.listdir(f"/proc/{process.pid}/fd"):
            with contextlib.suppress(OSError):
                target = os.readlink(f"/proc/{process.pid}/fd/{descriptor}")
                if target.startswith("socket:["):
                    found.add(int(target[8:-1]))
    return found


def heard(processes: list[psutil.Process]) -> dict[str, bool]:
    """'tcp 127.0.0.1:6379' -> whether it is loopback's, of all sockets of these processes that can be reached."""
    own = set().union(*map(held, processes))
    found = {}
    for inode, protocol, text in sockets():
        if inode in own:
            address, port = address_of(text)
            found[f"{protocol} {address}:{port}"] = address.is_loopback
    return found


def watched(process: object, each: object) -> int:
    """Looks again and again while the sweep runs; how often."""
    looks = 0
    while process.poll() is None:  # type: ignore[attr-defined]
        each()  # type: ignore[operator]
        looks += 1
        time.sleep(0.2)
    return looks


def test_the_look_finds_what_listens_to_the_world() -> None:
    """Or else the next test would show nothing."""
    with socket.socket() as tcp, socket.socket(socket.AF_INET6) as six, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("0.0.0.0", 0))
        six.bind(("::1", 0))
        udp.bind(("0.0.0.0", 0))
        tcp.listen()
        six.listen()
        found = heard([psutil.Process()])
        assert found[f"tcp 0.0.0.0:{tcp.getsockname()[1]}"] is False
        assert found[f"tcp6 ::1:{six.getsockname()[1]}"] is True
        assert found[f"udp 0.0.0.0:{udp.getsockname()[1]}"] is False


def test_a_sweep_listens_on_loopback_alone(tmp_path: Path) -> None:
    found: dict[str, bool] = {}
    process = sweeping.start(tmp_path / "results", "--temperature", "1", "--seeds", "0", sleep=0.002)
    looks = watched(process, lambda: found.update(heard(sweeping.processes())))
    ended = sweeping.finish(process)
    assert ended.returncode == 0, ended.stderr
    assert looks >= 10
    assert len(found) >= 3, found  # Ray's own: its control store, its raylet, its workers
    assert {name for name, loopback in found.items() if not loopback} == set()


def test_secrets_are_seen_nowhere_and_no_pickle_stays(tmp_path: Path) -> None:
    """The person's own environment is theirs; what others see is files, output and the process list."""
    (tmp_path / "token").write_text(TOKEN)
    secrets = {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "token"), "RAY_AUTH_MODE": "token",
               "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}  # fmt: skip
    before = set(Path(sweeping.TEMPORARY).rglob("*"))
    commands: set[str] = set()
    logs: dict[Path, bytes] = {}

    def look() -> None:
        commands.update(" ".join(process.cmdline()) for process in _living())
        for path in set(sweeping.TEMPORARY.rglob("*")) - before:  # Ray's logs, which go at the end
            with contextlib.suppress(OSError):
                if path.is_file() and path.suffix in (".log", ".out", ".err", ".txt", ".json"):
                    logs[path] = path.read_bytes()

    flags = ["--temperature", "1", "--seeds", "0", "--log", "tensorboard"]
    process = sweeping.start(tmp_path / "results", *flags, sleep=0.002, env=secrets)
    watched(process, look)
    ended = sweeping.finish(process)
    assert ended.returncode == 0, ended.stderr
    assert any("raylet" in command for command in commands)
    assert any(path.name.startswith("raylet") for path in logs), sorted(logs)[:20]
    files = {path: path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file()}
    assert len(files) >= 8
    said = {"output": ended.stdout, "errors": ended.stderr, "process list": "\n".join(commands)}
    everything = {**files, **logs, **{name: text.encode() for name, text in said.items()}}
    secrets_of = [(secret, *pair) for secret in (TOKEN, SECRET, KEY) for pair in everything.items()]
    seen = {(secret, str(name)): around(content, secret) for secret, name, content in secrets_of}
    assert {name: text for name, text in seen.items() if text} == {}
    assert [path for path, content in files.items() if is_pickle(content)] == []


def around(content: bytes, secret: str) -> str:
    """Where a secret stands in a file; '' where it does not."""
    at = content.find(secret.encode())
    return "" if at < 0 else content[max(0, at - 200) : at].decode(errors="replace") + "SECRET"


def _living() -> Iterator[psutil.Process]:
    for process in sweeping.processes():
        with contextlib.suppress(psutil.Error):
            process.cmdline()
            yield process


def is_pickle(content: bytes) -> bool:
    """Whether a file is a pickle of protocol 2 or later, or an archive or a zip that torch or numpy made of some."""
    if b"data.pkl" in content[:4096] and content.startswith(b"PK"):
        return True
    if not (content[:1] == b"\x80" and len(content) > 2 and 2 <= content[1] <= 5):
        return False
    try:
        return any(opcode.name == "STOP" for opcode, _, _ in pickletools.genops(content))
    except Exception:
        return False


def test_a_pickle_is_told_from_other_files() -> None:
    import pickle

    assert all(is_pickle(pickle.dumps({"a": [1]}, protocol)) for protocol in (2, 3, 4, 5))
    assert not is_pickle(b"\x80\x04no pickle")
    assert not is_pickle(b"PAR1")
