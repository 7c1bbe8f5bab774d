"""docs/cluster/on_prem.yaml for real: `ray up`, a sweep, `ray down`, over ssh, on four machines in one box.

Taken from the file as it is, less its marked lines, which a person fills in, and less what one box forces: the nodes'
processors and object stores are made small, and instead of `make install`, which takes minutes and the network, each
machine's .venv is this one. Everything else, ports, paths and `ray stop` too, is the file's.
"""

from __future__ import annotations

import re
import secrets
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from machines import ROOT, Machine, machines
from sshd import new_key, serve
from sweeping import NAME

FILE = ROOT / "docs" / "cluster" / "on_prem.yaml"
MARK = "# CHANGE:"
SMALL = "--num-cpus=1 --object-store-memory=100000000"
CHANGED = {"head_ip", "worker_ips", "ssh_user", "ssh_private_key", "- cd ~/kd-trainable && make install"}
JOINED_S, GONE_S = 240.0, 240.0
TOKEN = ".ray/kd-trainable-token"
SWEEP = (
    "cd kd-trainable && python sweeps/digits_grid.py --address auto --mode kl --temperature 1 2 --alpha 0.5 --seeds 0"
    " --epochs 2 --teacher-epochs 1 --log none --storage file://{results}"
)


def test_every_line_to_change_is_marked_and_no_other() -> None:
    marked = {
        line.partition("PYTHON=")[0].partition(":")[0].strip() for line in FILE.read_text().splitlines() if MARK in line
    }
    assert marked == CHANGED


def filled_in(head: Machine, workers: list[Machine], key: Path) -> str:
    """The file as a person would fill it in for these machines, and as one box needs it."""
    answers = {
        "head_ip": head.address,
        "worker_ips": f"[{', '.join(worker.address for worker in workers)}]",
        "ssh_user": "root",
        "ssh_private_key": str(key),
    }
    lines = []
    for line in FILE.read_text().splitlines():
        if MARK in line:
            name = line.strip().partition(":")[0]
            indent = line[: len(line) - len(line.lstrip())]
            if name in answers:
                line = f"{indent}{name}: {answers[name]}"
            else:
                line = f"{indent}- ln -sfn {ROOT}/.venv ~/kd-trainable/.venv"
        lines.append(re.sub(r"\bray start ", f"ray start {SMALL} ", line) if line.startswith("  - ") else line)
    return "\n".join(lines)


class Cluster:
    """The four machines, and `ray` on the one that a person sits at."""

    def __init__(self, here: list[Machine], folder: Path) -> None:
        self.laptop, self.head, *self.workers = here
        key = new_key(folder / "key")
        for machine in (self.head, *self.workers):
            serve(machine, Path(f"{key}.pub"))
        self.file = folder / "on_prem.yaml"
        self.file.write_text(filled_in(self.head, self.workers, key))
        (line,) = [line for line in FILE.read_text().splitlines() if "secrets.token_hex" in line]
        self.laptop.run("bash", "-c", line.removeprefix("# ").replace("python3", "python"))
        self.token = (self.laptop.home / TOKEN).read_text().strip()
        assert len(self.token) == 64

    def ray(self, verb: str, *words: str) -> str:
        """`ray VERB on_prem.yaml` as the file's head says it is to be called."""
        return self.laptop.run("ray", verb, *words, environment={"RAY_UP_enable_autoscaler_v2": "0"}, timeout=240)


@pytest.mark.fault
@pytest.mark.timeout(900)
def test_up_sweep_down(tmp_path: Path) -> None:
    results = tmp_path / "nfs"
    results.mkdir()
    with machines(tmp_path, "laptop", "head", "one", "two") as here:
        cluster = Cluster(here, tmp_path)
        cluster.ray("up", "-y", str(cluster.file))
        all_joined(cluster)
        refused_without_token(cluster)
        said = cluster.ray("exec", str(cluster.file), SWEEP.format(results=results))
        assert "Traceback" not in said
        runs = pd.read_parquet(results / "sweeps" / NAME / "runs.parquet")
        assert (set(runs["status"]), len(runs)) == ({"finished"}, 3)
        token_is_nowhere_else(cluster, results)
        cluster.ray("down", "-y", str(cluster.file))
        all_gone(cluster)
        left_is_what_the_page_says(cluster)


def all_joined(cluster: Cluster) -> None:
    """Returns when both workers have joined the head."""
    until = time.monotonic() + JOINED_S
    ask = "import ray; ray.init(address='auto'); print('nodes:', sum(n['Alive'] for n in ray.nodes()))"
    while "nodes: 3" not in (said := cluster.ray("exec", str(cluster.file), f'python -c "{ask}" 2> /dev/null')):
        assert time.monotonic() < until, said
        time.sleep(2)


def refused_without_token(cluster: Cluster) -> None:
    """Neither without a token nor with another one does the head answer; with it, it does."""
    status = ("ray", "status", "--address", f"{cluster.head.address}:6379")
    other = cluster.laptop.home / "other"
    other.write_text(secrets.token_hex(32))
    outsider = {"RAY_AUTH_MODE": "disabled"}
    wrong = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(other)}
    right = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(cluster.laptop.home / TOKEN)}
    for environment in (outsider, wrong):
        code, said = cluster.laptop.finish(*status, environment=environment)
        assert code != 0
        assert "uthenticat" in said, said
    assert "Active" in cluster.laptop.run(*status, environment=right)
    for port in ("8265", "52365"):  # the dashboard, which takes jobs, and its agent
        code, said = cluster.laptop.finish("curl", "-sS", f"http://{cluster.head.address}:{port}/api/jobs/")
        assert code != 0 or "uthenticat" in said, said


def token_is_nowhere_else(cluster: Cluster, results: Path) -> None:
    """The token lies in its files alone, for their owner alone: in no log, no result, no command line."""
    files = [machine.home / TOKEN for machine in (cluster.laptop, cluster.head, *cluster.workers)]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    where = [str(results), *(str(m.folder) for m in (cluster.laptop, cluster.head, *cluster.workers))]
    found = subprocess.run(["grep", "-rl", "--devices=skip", cluster.token, *where], capture_output=True, text=True)
    assert set(found.stdout.split()) == set(map(str, files))
    everything = [line for m in (cluster.head, *cluster.workers) for line in m.processes()]
    assert not any(cluster.token in line for line in everything)


def all_gone(cluster: Cluster) -> None:
    """Returns when nothing but sshd runs on any of the machines."""
    until = time.monotonic() + GONE_S
    nodes = (cluster.laptop, cluster.head, *cluster.workers)
    while left := [line for m in nodes for line in m.processes() if not re.match(r"sshd|\S*/sshd|ssh: ", line)]:
        assert time.monotonic() < until, left
        time.sleep(1)


def left_is_what_the_page_says(cluster: Cluster) -> None:
    """No shared memory; of files, what docs/cluster.md and the file name."""
    for machine in (cluster.head, *cluster.workers):
        assert machine.run("ls", "/dev/shm") == ""
        bootstrap = ["ray_bootstrap_config.yaml", "ray_bootstrap_key.pem"] if machine is cluster.head else []
        kept = {path.name for path in machine.home.iterdir()} - {".cache", ".config"}  # of matplotlib
        assert kept == {".bashrc", ".ray", "kd-trainable", *bootstrap}
        kept = {path.name for path in (machine.folder / "tmp").iterdir()}
        # "pymp-" is the dashboard's, the second torch's; what is mounted into the machine leaves its folders there
        mounted = {path.parts[2] for path in (cluster.file, ROOT) if path.parts[1] == "tmp"}
        assert {name for name in kept - mounted if not name.startswith(("ray", "pymp-", "torchinductor_"))} == set()


def test_the_file_is_what_ray_takes() -> None:
    full = yaml.safe_load(FILE.read_text())
    assert full["provider"]["type"] == "local"
    starts = [line for key in ("head", "worker") for line in full[f"{key}_start_ray_commands"] if "ray start" in line]
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$HOME/.ray/kd-trainable-token" in line for line in starts)
    assert "--dashboard-host=127.0.0.1" in starts[0]
    for source in full["file_mounts"].values():
        assert source.startswith("~") or (ROOT / source).exists(), source
