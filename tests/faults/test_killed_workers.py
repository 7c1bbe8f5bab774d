"""A worker process that is killed in mid-epoch costs an attempt of the run it had, and nothing else."""

from __future__ import annotations

import random
from pathlib import Path

import psutil
import pytest
import sweeping
from ledger import Outcome, Snapshot, record

KILLS = 4


@pytest.mark.fault
def test_killed_workers(undisturbed: Path, tmp_path: Path) -> None:
    """Killed at drawn moments while they train: each run goes on from its checkpoint, to the same numbers."""
    results, draw = tmp_path / "results", random.Random(0)
    before = sweeping.traces(results)
    process = sweeping.start(results, "--retries", str(KILLS))  # the same run may be hit each time
    snapshots, killed = [Snapshot.of(results)], 0
    while killed < KILLS:
        sweeping.in_the_middle(results, process, finished=killed)
        at_work = sweeping.wait_for(sweeping.trials, process)
        snapshots.append(Snapshot.of(results))
        victim = draw.choice(at_work)
        victim.kill()
        psutil.wait_procs([victim], timeout=10)
        killed += 1
    ended = sweeping.finish(process)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    assert ended.stdout.startswith("Test accuracy ")  # stdout is the table's, whatever Ray has to say
    later = Snapshot.of(results)
    outcome = Outcome(
        "a worker process killed in mid-epoch",
        killed,
        len({run for snapshot in snapshots for run in snapshot.lost(later)}),
        len({run for snapshot in snapshots for run in snapshot.repeated(later)}),
        sweeping.same_table(results, undisturbed),
        sweeping.left_behind(before),
    )
    record(outcome)
    assert outcome.harmless
    assert sum(later.attempts.values()) > sweeping.RUNS  # runs under way were killed indeed
