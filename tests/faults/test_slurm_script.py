"""docs/cluster/slurm.sh as it stands, on two machines in one box, with stand-ins for Slurm's own commands."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import subject
import sweeping
from in_a_cluster import assert_harmless, with_teacher
from ledger import Snapshot
from machines import ROOT, Machine, machines, require_programs
from slurm_stand_in import controller

SCRIPT = ROOT / "docs" / "cluster" / "slurm.sh"
PATIENCE_S = 240.0


class Slurm:
    """Jobs on two machines. The script itself runs on the first, as Slurm has it."""

    def __init__(self, here: list[Machine], folder: Path, environment: dict[str, str]) -> None:
        self.here, self.number = here, 41
        self.home = folder / "shared-home"
        self.home.mkdir()
        self.submitted_from = folder / "project"  # a folder that all nodes see
        shutil.copytree(ROOT / "sweeps", self.submitted_from / "sweeps")
        shutil.copy(subject.__file__, self.submitted_from)
        (self.submitted_from / ".venv").symlink_to(ROOT / ".venv")
        self.environment = {
            **environment,
            "PATH": f"{environment['BIN']}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "PYTHONPATH": str(self.submitted_from),
            "SLURM_SUBMIT_DIR": str(self.submitted_from),
            "SLURM_CPUS_PER_TASK": "1",
            "SLURM_MEM_PER_NODE": "500",
        }

    def batch(self, *words: str, sleep: float = 0.0) -> subprocess.Popen[str]:
        """`sbatch slurm.sh WORDS`, once the job has its turn."""
        self.number += 1
        given = {**self.environment, "SLURM_JOB_ID": str(self.number), subject.SLEEP: str(sleep)}
        return self.here[0].start("bash", str(SCRIPT), *words, environment=given)

    def left(self, patience: float = 30.0) -> tuple[str, ...]:
        """What is still there after so many seconds; a raylet's agents end by themselves when they miss it."""
        until = time.monotonic() + patience
        while (found := self.there()) and time.monotonic() < until:
            time.sleep(0.5)
        return found

    def there(self) -> tuple[str, ...]:
        """Processes on the nodes, shared memory, and files of Ray's."""
        found = []
        for machine in self.here:
            found += [f"process on {machine.name}: {line[:100]}" for line in machine.processes()]
            found += [f"{machine.name}: /dev/shm/{name}" for name in machine.run("ls", "/dev/shm").split()]
            found += [f"{machine.name}: /tmp/{path.name}" for path in (machine.folder / "tmp").glob("ray*")]
        return tuple(found)


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[Slurm]:
    with machines(tmp_path, "node1", "node2") as here, controller(tmp_path, here) as environment:
        yield Slurm(here, tmp_path, environment)


def finish(job: subprocess.Popen[str]) -> tuple[int, str]:
    """Waits for a job's end; its status and what it said."""
    said, _ = job.communicate(timeout=PATIENCE_S)
    return job.returncode, said


def signal_script(job: subprocess.Popen[str], number: signal.Signals) -> None:
    """What `--signal=B:INT@120` does: to the script alone."""
    (script,) = psutil.Process(job.pid).children()
    script.send_signal(number)


@pytest.mark.fault
@pytest.mark.timeout(900)
def test_a_job_at_its_time_limit_and_the_same_command_again(slurm: Slurm, tmp_path: Path, undisturbed: Path) -> None:
    results = with_teacher(undisturbed, tmp_path / "results")
    sweep = ["sweeps/digits_grid.py", *sweeping.FLAGS, "--storage", f"file://{results}"]
    job = slurm.batch(*sweep, sleep=sweeping.SLEEP_S)
    sweeping.in_the_middle(results, job)
    before = Snapshot.of(results)
    signal_script(job, signal.SIGINT)
    status, said = finish(job)
    assert (status, "Traceback" in said) == (130, False), said
    assert "stopped; nothing is lost. To go on: " in said
    assert slurm.left() == ()
    status, said = finish(slurm.batch(*sweep))
    assert (status, "Traceback" in said) == (0, False), said
    assert re.search(r"; [1-7] done", said), said
    later = assert_harmless("a Slurm job at its time limit", before, results, undisturbed, slurm.left())
    assert later.finished.keys() == later.asked
    assert len(nodes_of(slurm, 42) | nodes_of(slurm, 43)) == 2
    token = slurm.home / ".ray" / "kd-trainable-token"
    assert (token.stat().st_mode & 0o777, len(token.read_text())) == (0o600, 64)
    assert [path.name for path in token.parent.iterdir()] == [token.name]
    assert token.read_text() not in said


def nodes_of(slurm: Slurm, number: int) -> set[str]:
    """The addresses that a job's Rays said they have."""
    return set(re.findall(r"Local node IP: (\S+)", (slurm.submitted_from / f"ray-{number}.log").read_text()))


@pytest.mark.fault
def test_what_is_wrong_is_one_line(slurm: Slurm) -> None:
    wrong = {
        (): "slurm.sh: error: no sweep is named, as in: sbatch docs/cluster/slurm.sh sweeps/digits_grid.py ...\n",
        ("sweeps/none.py",): f"slurm.sh: error: no file sweeps/none.py in {slurm.submitted_from}; "
        "submit from the project's folder\n",
    }
    assert {words: finish(slurm.batch(*words)) for words in wrong} == {w: (2, line) for w, line in wrong.items()}
    slurm.environment["SLURM_SUBMIT_DIR"] = "/"
    assert finish(slurm.batch("sweeps/x.py"))[0] == 2


@pytest.mark.fault
def test_a_sweep_that_is_refused_is_the_job_s_status(slurm: Slurm) -> None:
    status, said = finish(slurm.batch("sweeps/digits_grid.py", "--mode", "kk"))
    assert (status, "Traceback" in said) == (2, False), said
    assert "digits_grid.py: error: mode: " in said
    assert slurm.left() == ()


def test_the_script_in_the_shell_s_eyes() -> None:
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)
    text = SCRIPT.read_text()
    assert "#SBATCH --signal=B:INT@" in text
    assert "ray stop\n" not in text


@pytest.mark.fault
def test_shellcheck_finds_nothing() -> None:
    require_programs("shellcheck")
    found = subprocess.run(["shellcheck", "--format=json", str(SCRIPT)], capture_output=True, text=True)
    assert json.loads(found.stdout) == []
