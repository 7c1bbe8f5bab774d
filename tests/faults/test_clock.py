"""A clock that is set while a sweep runs, a day forward and two hours back: nobody's business but the tables' dates."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sweeping
from ledger import Outcome, Snapshot, record

JUMPS = (86_400, -7_200, 0)  # seconds: a day forward, two hours back, and right again
MEASURED = ("train_seconds", "teacher_seconds", "images_per_second", "latency_seconds")
OFFSET = "KD_TEST_CLOCK_OFFSET"
MOVER = Path(__file__).parent / "moved_clock"


def assert_moves(env: dict[str, str], clock: Path) -> None:
    """That a program which is started so has another time, or nothing would be tested."""
    for seconds in (3600, 0):
        clock.write_text(str(seconds))
        asked = [sys.executable, "-c", "import time; print(time.time())"]
        said = subprocess.run(asked, env={**sweeping.environment(), **env}, capture_output=True, text=True, check=True)
        assert abs(float(said.stdout) - time.time() - seconds) < 600


@pytest.mark.fault
def test_a_clock_that_jumps(undisturbed: Path, tmp_path: Path) -> None:
    """For the driver, its workers and what of Ray is Python; what measures time in them is the steady clock."""
    results, clock = tmp_path / "results", tmp_path / "clock"
    clock.write_text("0")
    path = os.pathsep.join([str(MOVER), sweeping.environment()["PYTHONPATH"]])
    env = {"PYTHONPATH": path, OFFSET: str(clock)}
    assert_moves(env, clock)
    before = sweeping.traces(results)
    process = sweeping.start(results, env=env)
    snapshots = []
    for place, jump in enumerate(JUMPS):
        sweeping.in_the_middle(results, process, finished=1 + 2 * place)
        snapshots.append(Snapshot.of(results))
        clock.write_text(str(jump))
    ended = sweeping.finish(process)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    later, runs, epochs = Snapshot.of(results), sweeping.table(results), sweeping.table(results, "epochs")
    assert (runs[[*MEASURED]].dropna() >= 0).all(axis=None)
    assert runs["train_seconds"].max() < 600  # a day would be 86,400
    assert epochs["epoch_seconds"].between(0, 600).all()
    lost = {run for snapshot in snapshots for run in snapshot.lost(later)}
    repeated = {run for snapshot in snapshots for run in snapshot.repeated(later)}
    same, left = sweeping.same_table(results, undisturbed), sweeping.left_behind(before)
    fault = "the clock, as Python programs see it, set a day forward and two hours back"
    outcome = Outcome(fault, len(JUMPS), len(lost), len(repeated), same, left)
    record(outcome)
    assert outcome.harmless
    assert set(later.attempts.values()) == {1}
