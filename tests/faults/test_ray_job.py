"""`ray job submit`: the same script and results folder as anywhere, also when a job is stopped and submitted again.

What is submitted is a folder of one's own: the sweep's script, and a module of one's own that `--student` names.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path

import pytest
import subject
import sweeping
from in_a_cluster import assert_harmless, with_teacher
from ledger import Snapshot
from own_cluster import Head, head_for_jobs

PATIENCE_S = 240.0


def project(folder: Path) -> Path:
    """A folder of one's own to submit."""
    shutil.copytree(sweeping.ROOT / "sweeps", folder / "sweeps")
    shutil.copy(subject.__file__, folder)
    return folder


def submit(head: Head, folder: Path, results: Path, *options: str, sleep: float = 0.0) -> str:
    """Submits the sweep of sweeping.py; what `ray job submit` said, which waits for its end unless told not to."""
    # the second is one that a sweep sets itself
    variables = {subject.SLEEP: str(sleep), "OMP_WAIT_POLICY": "ACTIVE"}
    job = ["--working-dir", str(folder), "--runtime-env-json", json.dumps({"env_vars": variables}), *options]
    command = ["python", "sweeps/digits_grid.py", *sweeping.FLAGS, "--address", "auto", "--storage"]
    return head.ray("job", "submit", *job, "--", *command, f"file://{results}")


def stop_in_the_middle(head: Head, job: str, results: Path) -> Snapshot:
    """`ray job stop` when a run has finished and another one is under way; the results as they were just before."""
    until = time.monotonic() + PATIENCE_S
    while not (sweeping.ended(results) and sweeping.under_way(results)):
        assert time.monotonic() < until, head.ray("job", "logs", job)
        time.sleep(0.05)
    before = Snapshot.of(results)
    said = head.ray("job", "stop", job)
    assert "was stopped" in said, said
    return before


def trials_left(head: Head, patience: float = 30.0) -> tuple[str, ...]:
    """Processes that still hold a trial after so many seconds; the cluster itself goes on."""
    until = time.monotonic() + patience
    while (found := head.node.trials()) and time.monotonic() < until:
        time.sleep(0.5)
    return tuple(f"trial {process.pid}" for process in found)


@pytest.mark.fault
@pytest.mark.timeout(900)
def test_a_job_that_is_stopped_and_submitted_again(tmp_path: Path, undisturbed: Path) -> None:
    results, folder = with_teacher(undisturbed, tmp_path / "results"), project(tmp_path / "project")
    with head_for_jobs() as head:
        said = submit(head, folder, results, "--no-wait", sleep=sweeping.SLEEP_S)
        (job,) = set(re.findall(r"raysubmit_\w+", said))
        before = stop_in_the_middle(head, job, results)
        assert len(before.finished) < sweeping.RUNS
        said = submit(head, folder, results)
        assert "succeeded" in said
        assert re.search(r"; [1-7] done", said), said
        assert "nothing to start" in submit(head, folder, results)
        later = Snapshot.of(results)
        left = trials_left(head)
    assert later == assert_harmless("`ray job stop`, and the job again", before, results, undisturbed, left)
