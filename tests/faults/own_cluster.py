"""A Ray head of one's own that takes jobs: `ray start` with free ports, a token, and a folder of its own."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sweeping
from several_nodes import Node, free_port, ray_command

PATIENCE_S = 120.0


@dataclass(frozen=True)
class Head:
    """``jobs``: where its dashboard takes them, on loopback. ``environment``: what whoever calls it needs."""

    node: Node
    address: str
    jobs: str
    environment: dict[str, str]

    def ray(self, *words: str, check: bool = True, patience: float = 240.0) -> str:
        """Runs a `ray` command that finds the head by its environment; returns all it said."""
        done = subprocess.run(
            [ray_command(), *words],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=patience,
        )
        assert not check or done.returncode == 0, done.stdout
        return done.stdout


@contextlib.contextmanager
def head_for_jobs(cpus: int = 2, **environment: str) -> Iterator[Head]:
    """A head that takes jobs; in the end every process of it is killed, and its folder removed."""
    folder = Path(tempfile.mkdtemp(prefix="h", dir=sweeping.TEMPORARY))
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), "RAY_USAGE_STATS_ENABLED": "0"}
    port, dashboard, client = (free_port() for _ in range(3))
    jobs = f"http://127.0.0.1:{dashboard}"
    given = {**sweeping.environment(), **secret, "RAY_API_SERVER_ADDRESS": jobs, **environment}
    given.pop("PYTHONPATH")  # a job brings its own folder
    given["PATH"] = f"{Path(ray_command()).parent}:{given['PATH']}"  # a job's `python` is the node's
    argv = [
        ray_command(), "start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={port}",
        "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}", f"--ray-client-server-port={client}",
        f"--dashboard-agent-listen-port={free_port()}", f"--temp-dir={folder}/ray", f"--num-cpus={cpus}",
        "--object-store-memory=200000000",
    ]  # fmt: skip
    with (folder / "log").open("wb") as said:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=given, start_new_session=True
        )
    node = Node("127.0.0.1", process, folder / "log")
    try:
        node.wait()
        _wait_for(jobs)
        yield Head(node, f"127.0.0.1:{port}", jobs, given)
    finally:
        node.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(url: str) -> None:
    """Returns when somebody answers there, be it with a refusal."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with contextlib.suppress(urllib.error.HTTPError, OSError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.2)
    raise AssertionError(f"nobody answers at {url}")
