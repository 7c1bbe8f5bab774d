"""Slurm's part in a test of docs/cluster/slurm.sh: `srun` and `scontrol` for machines of this box.

`srun` really runs its command once on every node asked for, passes on what it says, its status, and the signals that
it gets itself, as Slurm's does (srun(1)): SIGTERM and the like go to the tasks, of a SIGINT the tasks hear nothing.
What srun starts has the environment that srun has. The controller is a thread of the test, behind a socket.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

SOCKET = "KD_TEST_SLURM"


def srun(argv: list[str]) -> int:
    """The command: asks the controller, and prints what comes back."""
    at = next(i for i, word in enumerate(argv) if not word.startswith("--"))
    options = dict(word[2:].partition("=")[::2] for word in argv[:at])
    nodes = options.get("nodelist", os.environ["SLURM_JOB_NODELIST"]).split(",")
    assert len(nodes) == int(options["ntasks"]), argv
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(os.environ[SOCKET])
        signal.signal(signal.SIGTERM, lambda number, _: line.sendall(f"{number}\n".encode()))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        asked = {"nodes": nodes, "argv": argv[at:], "environment": dict(os.environ)}
        line.sendall(json.dumps(asked).encode() + b"\n")
        for answer in line.makefile("r"):
            said = json.loads(answer)
            if isinstance(said, int):
                return said
            print(said, end="", flush=True)
    return 1


@contextlib.contextmanager
def controller(folder: Path, here: list[Any]) -> Iterator[dict[str, str]]:
    """Slurm for these machines; what the environment of a job on all of them is, less its numbers."""
    commands = folder / "slurm"
    commands.mkdir()
    interpreter = f"#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(__file__)} "
    for name in ("srun", "scontrol"):
        (commands / name).write_text(f'{interpreter}{name} "$@"\n')
        (commands / name).chmod(0o755)
    server = socketserver.ThreadingUnixStreamServer(str(folder / "slurmd"), _step({m.name: m for m in here}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield {
            SOCKET: str(folder / "slurmd"),
            "SLURM_JOB_NODELIST": ",".join(m.name for m in here),
            "BIN": str(commands),
        }
    finally:
        server.shutdown()
        server.server_close()


def _step(machines: dict[str, Any]) -> type[socketserver.StreamRequestHandler]:
    class Step(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked = json.loads(self.rfile.readline())
            tasks = [machines[n].start(*asked["argv"], environment=asked["environment"]) for n in asked["nodes"]]
            threading.Thread(target=self.pass_on, args=(tasks,), daemon=True).start()
            for task in tasks:
                for line in task.stdout:
                    self.wfile.write(json.dumps(line).encode() + b"\n")
            self.wfile.write(json.dumps(max(abs(task.wait()) for task in tasks)).encode() + b"\n")

        def pass_on(self, tasks: list[Any]) -> None:
            for number in self.rfile:
                for task in tasks:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        for child in psutil.Process(task.pid).children():  # of nsenter
                            child.send_signal(int(number))

    return Step


if __name__ == "__main__":
    if sys.argv[1] == "srun":
        sys.exit(srun(sys.argv[2:]))
    assert sys.argv[1:4] == ["scontrol", "show", "hostnames"]
    print("\n".join(sys.argv[4].split(",")))
