"""A spot machine hears the cloud's notice at the address where clouds give it: Ray drains that node, and no other."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from machines import ROOT, Machine, machines
from metadata_service import AWS_LEAVES_S

PATIENCE_S = 60.0
HAND_OUT = "169.254.169.254"
SERVICE = str(ROOT / "tests" / "metadata_service.py")
KNOWN = """
import json, ray
from ray._private.state import state
ray.init(address="auto", log_to_driver=False)
nodes = {n["NodeID"]: n["NodeManagerAddress"] for n in ray.nodes() if n["Alive"]}
print(json.dumps([sorted(nodes.values()), {nodes[n]: ms / 1000 for n, ms in state.get_draining_nodes().items()}]))
"""
HOLD = """
import ray, time
ray.init(address="auto", log_to_driver=False, logging_level="ERROR")
@ray.remote(num_cpus=1)
def hold():
    time.sleep(600)
refs = [hold.remote() for _ in range(2)]
while ray.available_resources().get("CPU"):
    time.sleep(0.1)
print("held", flush=True)
ray.get(refs)
"""


def known(head: Machine, secret: dict[str, str]) -> tuple[list[str], dict[str, float]]:
    """The living nodes' addresses, and those that drain with their deadlines, as the GCS says."""
    nodes, draining = json.loads(head.run(sys.executable, "-c", KNOWN, environment=secret).splitlines()[-1])
    return nodes, draining


def ray(machine: Machine, *flags: str, **environment: Any) -> None:
    small = ["--num-cpus=1", "--object-store-memory=100000000"]
    machine.run("ray", "start", *flags, *small, environment=environment)


def wait_for(said: str, process: subprocess.Popen[str]) -> None:
    """Returns when the process has said so, in the line that it says next."""
    assert process.stdout is not None
    assert said in (line := process.stdout.readline()), line


@pytest.mark.fault
@pytest.mark.timeout(300)
def test_a_notice_drains_the_node_of_its_machine(tmp_path: Path) -> None:
    with machines(tmp_path, "head", "spot") as (head, spot):
        token = tmp_path / "token"
        token.write_text("0123456789abcdef" * 4)
        secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
        ray(head, "--head", "--port=6379", "--include-dashboard=false", **secret)
        ray(spot, f"--address={head.address}:6379", **secret)
        spot.run("ip", "address", "add", f"{HAND_OUT}/32", "dev", "lo")
        notice = tmp_path / "notice"
        wait_for("listens", spot.start(sys.executable, SERVICE, "aws", HAND_OUT, "80", str(notice)))
        watcher = spot.start(sys.executable, "-m", "kd_trainable.tuning.spot", "--every", "0.5", environment=secret)
        # a node that drains and has nothing to do ends itself, and could not be seen to drain
        holder = head.start(sys.executable, "-c", HOLD, environment=secret)
        wait_for("held", holder)
        wait_for("watches for a notice of ", watcher)
        assert known(head, secret) == ([head.address, spot.address], {})
        notice.touch()
        said, _ = watcher.communicate(timeout=PATIENCE_S)
        nodes, draining = known(head, secret)
    assert (watcher.returncode, nodes) == (0, [head.address, spot.address]), said
    assert list(draining) == [spot.address]
    assert 0 < draining[spot.address] - time.time() <= AWS_LEAVES_S
    first, second = said.splitlines()  # after the one that it watches
    assert "notice: this machine will be taken in " in first
    assert second.endswith(" is draining")
    assert token.read_text() not in said
