"""A driver that is killed, ten times over: the same command at once goes on, to the undisturbed table."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import sweeping
from ledger import Outcome, Snapshot, record

Process = subprocess.Popen[str]
SLEEP_S = 0.02  # a step: ten sweeps that are killed must not come to their end all the same


def anywhere(results: Path, process: Process) -> None:
    """From the start on: Python, torch and Ray are loading."""


def teaching(results: Path, process: Process) -> None:
    """The teacher's training has begun, or its end was before."""
    sweeping.wait_for(lambda: list(results.glob("runs/*/lease.json")), process)


def training(finished: int) -> Callable[[Path, Process], None]:
    """So many runs have finished, and others train."""

    def reached(results: Path, process: Process) -> None:
        sweeping.wait_for(lambda: len(sweeping.ended(results)) >= finished and sweeping.trials(), process)

    return reached


def concluding(results: Path, process: Process) -> None:
    """The last run has its result; the tables do not."""
    sweeping.wait_for(lambda: len(sweeping.ended(results)) == sweeping.RUNS, process)


MOMENTS = [
    (anywhere, 3.0), (teaching, 1.0), (teaching, 2.0), (anywhere, 8.0), (training(0), 2.0),
    (training(1), 1.5), (training(3), 1.5), (training(4), 1.0), (training(6), 1.0), (concluding, 0.5),
]  # fmt: skip


class Vanishing:
    """How long what a dead driver had started goes on living, watched while its successor works."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.watches: list[threading.Thread] = []

    def watch(self, orphans: list[psutil.Process]) -> None:
        self.watches.append(threading.Thread(target=self._until_gone, args=(orphans, time.monotonic())))
        self.watches[-1].start()

    def longest(self) -> float:
        for watch in self.watches:
            watch.join()
        return max(self.seconds)

    def _until_gone(self, orphans: list[psutil.Process], began: float) -> None:
        psutil.wait_procs(orphans, timeout=2 * sweeping.GONE_S)
        self.seconds.append(time.monotonic() - began)


@pytest.mark.fault
def test_killed_drivers(undisturbed: Path, tmp_path: Path) -> None:
    """Each successor starts while its predecessor's workers still live; no result changes once it is there."""
    results, draw, vanishing = tmp_path / "results", random.Random(0), Vanishing()
    before, snapshots = sweeping.traces(results), []
    for reached, further in MOMENTS:
        process = sweeping.start(results, sleep=SLEEP_S)
        reached(results, process)
        time.sleep(draw.uniform(0, further))
        assert process.poll() is None, process.communicate()
        process.kill()
        process.communicate()
        vanishing.watch(sweeping.processes())
        snapshots.append(Snapshot.of(results))
    sweeping.complete(results)
    later = Snapshot.of(results)
    lost = {run for snapshot in snapshots for run in snapshot.lost(later)}
    repeated = {run for snapshot in snapshots for run in snapshot.repeated(later)}
    same, left, longest = sweeping.same_table(results, undisturbed), sweeping.left_behind(before), vanishing.longest()
    note = f"start-up, teacher, training and tables; what it had started was gone within {longest:.0f} s"
    outcome = Outcome(
        "the driver killed, its successor started at once", 10, len(lost), len(repeated), same, left, note
    )
    record(outcome)
    assert outcome.harmless
    assert longest < sweeping.GONE_S
    assert outcome.injected == len(snapshots)
    assert max(later.attempts.values()) > 1
