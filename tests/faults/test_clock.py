"""A clock that is set while a sweep runs, a day forward and two hours back: nobody's business but the tables' dates."""

from __future__ import annotations

from pathlib import Path

import pytest
import sweeping
from ledger import Outcome, Snapshot, record

JUMPS = ("+1d", "-2h", "+0")
MEASURED = ("train_seconds", "teacher_seconds", "images_per_second", "latency_seconds")


def library() -> Path:
    """libfaketime, which a preloaded program asks for the time instead of the kernel."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "Debian's package faketime is missing: apt-get install faketime"
    return found[0]


@pytest.mark.fault
def test_a_clock_that_jumps(undisturbed: Path, tmp_path: Path) -> None:
    """For the driver, its workers and all of Ray that they start; what measures time in them is the steady clock."""
    results, clock = tmp_path / "results", tmp_path / "clock"
    clock.write_text("+0\n")
    env = {
        "LD_PRELOAD": str(library()),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    before = sweeping.traces(results)
    process = sweeping.start(results, env=env)
    snapshots = []
    for place, jump in enumerate(JUMPS):
        sweeping.in_the_middle(results, process, finished=1 + 2 * place)
        snapshots.append(Snapshot.of(results))
        clock.write_text(f"{jump}\n")
    ended = sweeping.finish(process)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    later, runs, epochs = Snapshot.of(results), sweeping.table(results), sweeping.table(results, "epochs")
    assert (runs[[*MEASURED]].dropna() >= 0).all(axis=None)
    assert runs["train_seconds"].max() < 600  # a day would be 86,400
    assert epochs["epoch_seconds"].between(0, 600).all()
    lost = {run for snapshot in snapshots for run in snapshot.lost(later)}
    repeated = {run for snapshot in snapshots for run in snapshot.repeated(later)}
    same, left = sweeping.same_table(results, undisturbed), sweeping.left_behind(before)
    outcome = Outcome("the clock set a day forward and two hours back", 3, len(lost), len(repeated), same, left)
    record(outcome)
    assert outcome.harmless
    assert set(later.attempts.values()) == {1}
