"""A Ray cluster of several nodes in one box, each an own ``ray start`` whose processes are known, to be killed hard.

::

    with several_nodes() as cluster:            # a head that runs no trials, at 127.0.0.2
        node = cluster.add(cpus=1)              # 127.0.0.3, and so on
        cluster.begin(results)                  # the sweep of sweeping.py, its driver on the head
        node.kill()                             # SIGKILL to all of its processes
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import sweeping
from namespaces import Place

PATIENCE_S = 120.0
STORE = 200_000_000  # bytes
STARTED = "Ray runtime started"
BOX = [f"127.0.0.{last}" for last in range(2, 40)]  # loopback answers at all of 127.0.0.0/8
# Ray's own values (period 3 s, time-out 10 s, five in a row) take a node for dead after 15 to 50 s
HEALTH = {
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_failure_threshold": "5",
}
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_enable_metrics_collection": "false"}
PATIENT = {"RAY_raylet_start_wait_time_s": f"{PATIENCE_S:.0f}"}  # two cores start eight nodes slowly
ASK = """
import json, sys
from ray._private.state import GlobalState
from ray._raylet import GcsClientOptions
state = GlobalState()
state._initialize_global_state(GcsClientOptions.create(sys.argv[1], None, True, False))
print(json.dumps([state.node_table(), list(state.actor_table(None, None, None).values())], default=str))
"""


@dataclass
class Node:
    """One ``ray start`` and all that it started: they share its session, which none of them leaves."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def processes(self) -> list[psutil.Process]:
        """All that live of it: raylet, agents, workers; on the head also the GCS."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                if os.getsid(process.pid) == self.process.pid and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def trials(self) -> list[psutil.Process]:
        """Those of its workers that hold a trial."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                if "Trainable" in " ".join(process.cmdline()) or "DistillationTrial" in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def left(self, patience: float = PATIENCE_S) -> tuple[str, ...]:
        """What lives of it still after so many seconds."""
        until = time.monotonic() + patience
        while (found := self.processes()) and time.monotonic() < until:
            time.sleep(0.5)
        return tuple(f"process {process.pid} of the node at {self.address}" for process in found)

    def kill(self) -> int:
        """SIGKILL to all of its processes, as when the power goes; returns how many there were."""
        killed = 0
        while found := self.processes():
            for process in found:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL)
                    killed += 1
            self.process.poll()
            time.sleep(0.05)
        self.process.wait()
        return killed

    def wait(self) -> None:
        """Returns when it has joined. Raises RuntimeError, with what it said, when it does not."""
        until = time.monotonic() + PATIENCE_S
        while STARTED not in (said := self.log.read_text()):
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the node at {self.address} does not start: {said}")
            time.sleep(0.1)


@dataclass
class Cluster:
    """Its nodes, the head first. ``environment``: what every process that talks to it needs, its token among it."""

    folder: Path
    environment: dict[str, str]
    places: Iterator[tuple[str, Sequence[str]]]
    address: str = ""
    nodes: list[Node] = field(default_factory=list)
    within: Sequence[str] = ()  # what a command has to begin with to run on the head

    def add(self, cpus: int, *, wait: bool = True, sleep: float = sweeping.SLEEP_S, store: int = STORE) -> Node:
        """Starts a node, the first one as the head. ``sleep``: what a training step of its trials takes longer."""
        own, within = next(self.places)
        if not self.nodes:
            self.address, self.within = f"{own}:{free_port(within)}", within
        role = [] if self.nodes else ["--head", f"--port={self.address.partition(':')[2]}", "--include-dashboard=false"]
        joins = [f"--address={self.address}"] if self.nodes else role
        place = len(self.nodes)
        argv = [
            *within, ray_command(), "start", "--block", *joins, f"--node-ip-address={own}", f"--num-cpus={cpus}",
            f"--object-store-memory={store}", f"--temp-dir={self.folder}/{place}",
        ]  # fmt: skip
        log = self.folder / f"{place}.log"
        with log.open("wb") as said:  # sessions of their own: what a node is, and a Ctrl-C of ours is none of theirs
            process = subprocess.Popen(
                argv,
                stdout=said,
                stderr=said,
                stdin=subprocess.DEVNULL,
                env=self._environment(sleep),
                start_new_session=True,
            )
        node = Node(own, process, log)
        self.nodes.append(node)
        if wait:
            node.wait()
        return node

    def known(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The nodes and the actors that live, as the GCS knows them."""
        command = [*self.within, sys.executable, "-c", ASK, self.address]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, done.stderr
        nodes, actors = json.loads(done.stdout.splitlines()[-1])
        return [n for n in nodes if n["Alive"]], [a for a in actors if a["State"] != "DEAD"]

    def drain(self, node: Node, deadline_s: int) -> None:
        """A cloud's notice for a spot node, as an autoscaler passes it on to Ray."""
        (name,) = [known["NodeID"] for known in self.known()[0] if known["NodeManagerAddress"] == node.address]
        command = [
            *self.within, ray_command(), "drain-node", f"--address={self.address}", f"--node-id={name}",
            "--reason=DRAIN_NODE_REASON_PREEMPTION", "--reason-message=spot",
            f"--deadline-remaining-seconds={deadline_s}",
        ]  # fmt: skip
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, done.stderr

    def begin(self, results: Path, *flags: str, **further: Any) -> subprocess.Popen[str]:
        """The sweep of sweeping.py on this cluster, its driver on the head."""
        where = ["--address", self.address, *flags]
        return sweeping.start(f"file://{results}", *where, env=self.environment, within=self.within, **further)

    def left(self, patience: float = 20.0) -> tuple[str, ...]:
        """Actors and trials of a sweep that has ended and that are still there after so many seconds."""
        until = time.monotonic() + patience
        while True:
            actors = [f"actor {actor['ActorClassName']}" for actor in self.known()[1]]
            trials = [f"trial {trial.pid} at {node.address}" for node in self.nodes for trial in node.trials()]
            if not (actors or trials) or time.monotonic() > until:
                return tuple(actors + trials)
            time.sleep(0.5)

    def end(self) -> None:
        """Kills every node, the head last."""
        for node in reversed(self.nodes):
            node.kill()

    def _environment(self, sleep: float = 0.0) -> dict[str, str]:
        return {**sweeping.environment(sleep), **self.environment}


@contextlib.contextmanager
def several_nodes(
    places: Sequence[Place] = (), head_cpus: int = 0, store: int = STORE, **environment: str
) -> Iterator[Cluster]:
    """A cluster of a head only; where it ends, all of its processes are killed and its folder is removed.

    ``places``: where its nodes are, the head's first; this machine's loopback if there are none.
    """
    folder = Path(tempfile.mkdtemp(prefix="n", dir=sweeping.TEMPORARY))
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), **QUIET, **PATIENT, **HEALTH, **environment}
    every = [(place.address, place.within) for place in places] or [(address, ()) for address in BOX]
    cluster = Cluster(folder, own, iter(every))
    try:
        cluster.add(head_cpus, store=store)
        yield cluster
    finally:
        cluster.end()
        shutil.rmtree(folder, ignore_errors=True)


def free_port(within: Sequence[str] = ()) -> int:
    """A port that nobody listens at, in this machine or in a network namespace."""
    code = "import socket; s = socket.socket(); s.bind(('', 0)); print(s.getsockname()[1])"
    if within:
        return int(subprocess.run([*within, sys.executable, "-c", code], capture_output=True, check=True).stdout)
    with socket.socket() as found:
        found.bind(("", 0))
        return int(found.getsockname()[1])


def ray_command() -> str:
    """The ``ray`` beside this Python."""
    return str(Path(sys.executable).with_name("ray"))
