"""Two drivers that are started on one results folder in the same second: one runs, the other says so in one line."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import sweeping
from ledger import Outcome, Snapshot, record

TIMES = 10


def loser_and_winner(both: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    """The one that ended first, and the other."""
    until = time.monotonic() + sweeping.PATIENCE_S
    while all(process.poll() is None for process in both) and time.monotonic() < until:
        time.sleep(0.05)
    return sorted(both, key=lambda process: process.poll() is None)


@pytest.mark.fault
def test_two_drivers(undisturbed: Path, tmp_path: Path) -> None:
    """Ten times, from an empty folder on; each time the one that runs is then interrupted, at last it is let go on."""
    results, refused = tmp_path / "results", 0
    before, snapshots = sweeping.traces(results), []
    for _ in range(TIMES):
        loser, winner = loser_and_winner([sweeping.start(results) for _ in range(2)])
        said = sweeping.finish(loser)
        assert (said.returncode, said.stdout) == (2, ""), said.stderr
        wanted = f"digits_grid.py: error: storage: {results} is in use by another sweep; wait for it, or stop it"
        assert said.stderr.splitlines() == [wanted]
        assert winner.poll() is None
        refused += 1
        snapshots.append(Snapshot.of(results))
        if refused < TIMES:
            os.killpg(winner.pid, signal.SIGINT)
            assert sweeping.finish(winner).returncode == 130
    ended = sweeping.finish(winner)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    later = Snapshot.of(results)
    outcome = Outcome(
        "two drivers started at once on one local folder",
        refused,
        len({run for snapshot in snapshots for run in snapshot.lost(later)}),
        len({run for snapshot in snapshots for run in snapshot.repeated(later)}),
        sweeping.same_table(results, undisturbed),
        sweeping.left_behind(before),
        "the second is refused in one line, exit status 2",
    )
    record(outcome)
    assert outcome.harmless
