"""The start commands of cluster.yaml, run as they stand on two machines in one box: the token, the head, a job."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from machines import ROOT, Machine, machines

pytestmark = pytest.mark.fault
SWEEP = (
    "--temperature 2 --alpha 0.5 --mode kl --seeds 0 --no-baselines --epochs 1 --teacher-epochs 1 --log none"
    " --gpus-per-trial 0"
)


def start_command(where: str, token: Path) -> str:
    """Of cluster.yaml, with the token of the test, the memory of this box, and nothing to rent."""
    file = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    (command,) = [c for c in file[f"{where}_start_ray_commands"] if "ray start" in c]
    changed = command.replace("/home/ray/token/auth_token", str(token))
    changed = re.sub(r"--object-store-memory=\d+", "--object-store-memory=100000000", changed)
    return changed.replace(" --autoscaling-config=~/ray_bootstrap_config.yaml", "")


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's own line puts it, in a home of the test's."""
    return tmp_path_factory.mktemp("home") / ".kd-cluster" / ".ray" / "auth_token"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, token: Path) -> Iterator[tuple[Machine, Machine]]:
    """A head and a worker, which the autoscaler would have told what it has."""
    home = token.parents[2]  # both machines see it
    with machines(tmp_path_factory.getbasetemp(), "head", "worker") as (head, worker):
        page = (ROOT / "docs/cluster.md").read_text()
        line = next(li for li in page.splitlines() if "get-auth-token" in li).partition("#")[0]
        head.run("bash", "-c", line, environment={"HOME": str(home)})
        assert token.stat().st_mode & 0o777 == 0o600
        head.run("bash", "-c", start_command("head", token), timeout=300)
        told = {"RAY_HEAD_IP": head.address, "RAY_OVERRIDE_RESOURCES": json.dumps({"CPU": 1})}
        worker.run("bash", "-c", start_command("worker", token), environment=told, timeout=300)
        yield head, worker


def test_the_head_runs_no_trials_and_the_worker_does(cluster: tuple[Machine, Machine], token: Path) -> None:
    head, _ = cluster
    holds = "import ray; ray.init('auto'); print([n['Resources'].get('CPU', 0) for n in ray.nodes()])"
    said = head.run("python", "-c", holds, environment=with_token(token), timeout=300)
    assert re.search(r"\[(0, 1\.0|1\.0, 0)\]", said), said


def test_who_has_no_token_or_another_is_refused(cluster: tuple[Machine, Machine], tmp_path: Path) -> None:
    head, worker = cluster
    wrong = tmp_path / "wrong"
    wrong.write_text("0" * 64)
    for environment in ({"RAY_AUTH_MODE": "disabled"}, with_token(wrong)):
        come = ("ray", "status", "--address", f"{head.address}:6379")
        status, said = worker.finish(*come, environment=environment, timeout=300)
        assert status != 0
        assert re.search(r"(?i)unauthenticated|authenticat|token", said), said


def test_the_dashboard_is_not_reached_from_another_machine(cluster: tuple[Machine, Machine]) -> None:
    head, worker = cluster
    call = "import socket, sys; socket.create_connection((sys.argv[1], 8265), 5)"
    assert head.finish("python", "-c", call, "127.0.0.1")[0] == 0
    status, said = worker.finish("python", "-c", call, head.address)
    assert status != 0
    assert "refused" in said


def test_a_sweep_runs_as_a_job_on_the_worker(cluster: tuple[Machine, Machine], token: Path) -> None:
    head, worker = cluster
    results = token.parents[2] / "results"
    sweep = f"python {ROOT}/sweeps/digits_grid.py {SWEEP} --address auto --storage"
    submit = ["ray", "job", "submit", "--address", "http://127.0.0.1:8265", "--", *sweep.split(), f"file://{results}"]
    said = head.run(*submit, environment=with_token(token), timeout=600)
    assert "succeeded" in said
    (result,) = results.glob("runs/*/result.json")
    assert json.loads(result.read_text())["status"] == "finished"
    assert [machine.name for machine in cluster if trials_of(machine)] == [worker.name]


def test_the_token_is_in_no_process_list_and_no_log(cluster: tuple[Machine, Machine], token: Path) -> None:
    secret = token.read_text().strip()
    assert len(secret) >= 32
    for machine in cluster:
        assert [line for line in machine.processes() if secret in line] == []
        assert any(path.name == "raylet.out" for path in written(machine))
        assert [str(path) for path in written(machine) if secret.encode() in path.read_bytes()] == []


def written(machine: Machine) -> list[Path]:
    """All that Ray has written on a machine, its logs among it."""
    return [path for path in (machine.folder / "tmp" / "ray").rglob("*") if path.is_file() and not path.is_symlink()]


def trials_of(machine: Machine) -> list[Path]:
    """The logs of the trials that ran there: Ray begins an actor's with its name."""
    return [path for path in written(machine) if b":actor_name:DistillationTrial" in path.read_bytes()]


def with_token(token: Path) -> dict[str, str]:
    """The environment of one who may come in."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
