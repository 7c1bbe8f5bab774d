"""A run that has no memory ends alone and says what to lower; with memory, the same command makes it good."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import subject
import sweeping
from ledger import Outcome, Snapshot, record

ROOM = 2 * 2**30  # bytes above what is in use now: others use the machine too, and their share moves


def suffered(tmp_path: Path, accident: str, *flags: str, **system: str) -> tuple[Path, str]:
    """A sweep of which one run has this accident: its results, and what it said."""
    results, marker = tmp_path / "results", tmp_path / "marker"
    marker.touch()
    env = {subject.ACCIDENT: accident, subject.MARKER: str(marker), **system}
    said = sweeping.finish(sweeping.start(results, *flags, env=env, sleep=0.002))
    assert not marker.exists()
    assert (said.returncode, "Traceback" in said.stderr) == (1, False), said.stderr
    return results, said.stderr


def made_good(fault: str, results: Path, undisturbed: Path, before: sweeping.Traces, note: str) -> None:
    """All but the one run have finished; the same command, without the accident, makes the table whole."""
    then = Snapshot.of(results)
    (unfortunate,) = then.asked - then.finished.keys()
    assert len(then.finished) == sweeping.RUNS - 1
    lost = then.lost(then, but=[unfortunate])
    sweeping.complete(results)
    later = Snapshot.of(results)
    lost += then.lost(later)
    same, left = sweeping.same_table(results, undisturbed), sweeping.left_behind(before)
    outcome = Outcome(fault, 1, len(lost), len(then.repeated(later)), same, left, note)
    record(outcome)
    assert outcome.harmless


def its_row(results: Path) -> dict[str, object]:
    """The row of the one run that did not finish."""
    runs = sweeping.table(results)
    (row,) = runs[runs["status"] != "finished"].to_dict("records")
    return row


@pytest.mark.fault
@pytest.mark.parametrize(
    ("accident", "fault", "named"),
    [
        ("allocate", "a run that asks for more memory than there is", ["--batch-size"]),
        ("fill-gpu", "a run that asks for more GPU memory than there is", ["--batch-size", "--gpus-per-trial"]),
    ],
)
def test_asking_for_too_much(accident: str, fault: str, named: list[str], undisturbed: Path, tmp_path: Path) -> None:
    before = sweeping.traces(tmp_path / "results")
    results, said = suffered(tmp_path, accident)
    row = its_row(results)
    assert (row["status"], row["attempts"]) == ("failed", 1)  # it would fail so again: not retried by itself
    for text in (str(row["error"]), said):
        assert text.count("out of memory") + text.count("out of GPU memory") >= 1
        assert all(flag in text for flag in named)
    made_good(fault, results, undisturbed, before, "it fails alone, and names what to lower")


@pytest.mark.fault
def test_killed_for_its_memory(undisturbed: Path, tmp_path: Path) -> None:
    """Ray's memory monitor kills the worker that grows; without retries its run is lost, and no other."""
    before, memory = sweeping.traces(tmp_path / "results"), psutil.virtual_memory()
    limit = 1 - (memory.available - ROOM) / memory.total
    system = {"RAY_memory_usage_threshold": f"{limit:.4f}", "RAY_memory_monitor_refresh_ms": "100"}
    results, said = suffered(tmp_path, "grow", "--retries", "0", **system)
    row = its_row(results)
    assert (row["status"], row["attempts"]) == ("lost", 1)
    for text in (str(row["error"]), said):
        assert "out of memory" in text
        assert "--max-concurrent" in text
    fault = "a worker killed by the system for its memory, no retries allowed"
    made_good(fault, results, undisturbed, before, "it is lost alone, and names what to lower")
