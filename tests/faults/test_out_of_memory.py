"""A run that has no memory ends alone and says what to lower; with memory, the same command makes it good."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import psutil
import pytest
import subject
import sweeping
import torch
from ledger import Outcome, Snapshot, record

RAISED = "" if torch.cuda.is_available() else " (no GPU here: torch's error is raised in its place)"
ROOM = 2 * 2**30  # bytes above what is in use now: others use the machine too, and their share moves


def suffered(tmp_path: Path, accident: str, *flags: str, **system: str) -> tuple[Path, str]:
    """A sweep of which one run has this accident: its results, and what it said."""
    results, marker = tmp_path / "results", tmp_path / "marker"
    marker.touch()
    env = {subject.ACCIDENT: accident, subject.MARKER: str(marker), **system}
    said = sweeping.finish(sweeping.start(results, *flags, env=env, sleep=0.002))
    assert (said.returncode, "Traceback" in said.stderr) == (1, False), said.stderr
    return results, said.stderr


def made_good(fault: str, results: Path, undisturbed: Path, before: sweeping.Traces, said: str, alone: bool) -> None:
    """The same command, without the accident, makes the table whole.

    The logs of the worker in question are kept for its user, and it is said where; they are nobody's rubbish.
    """
    logs = re.search(r"in the logs of its worker: (\S+)", said)
    assert logs is not None
    assert list(Path(logs[1]).iterdir())
    shutil.rmtree(logs[1])
    then = Snapshot.of(results)
    unfortunate = then.asked - then.finished.keys()
    assert len(unfortunate) == 1 or (unfortunate and not alone)
    sweeping.complete(results)
    later = Snapshot.of(results)
    lost = then.lost(later)
    same, left = sweeping.same_table(results, undisturbed), sweeping.left_behind(before)
    note = "says what to lower; with memory the same command makes the table whole"
    outcome = Outcome(fault, 1, len(lost), len(then.repeated(later)), same, left, note)
    record(outcome)
    assert outcome.harmless


def bad_rows(results: Path) -> list[dict[str, object]]:
    """The rows of runs that did not finish."""
    runs = sweeping.table(results)
    return list(runs[runs["status"] != "finished"].to_dict("records"))


@pytest.mark.fault
@pytest.mark.parametrize(
    ("accident", "fault", "named"),
    [
        ("allocate", "a run that asks for more memory than there is", ["--batch-size"]),
        (
            "fill-gpu",
            f"a run that asks for more GPU memory than there is{RAISED}",
            ["--batch-size", "--gpus-per-trial"],
        ),
    ],
)
def test_asking_for_too_much(accident: str, fault: str, named: list[str], undisturbed: Path, tmp_path: Path) -> None:
    before = sweeping.traces(tmp_path / "results")
    results, said = suffered(tmp_path, accident)
    (row,) = bad_rows(results)
    assert (row["status"], row["attempts"]) == ("failed", 1)  # it would fail so again: not retried by itself
    for text in (str(row["error"]), said):
        assert text.count("out of memory") + text.count("out of GPU memory") >= 1
        assert all(flag in text for flag in named)
    made_good(fault, results, undisturbed, before, said, alone=True)


@pytest.mark.fault
def test_killed_for_its_memory(undisturbed: Path, tmp_path: Path) -> None:
    """Ray's memory monitor kills workers as one of them grows, by its own choice: what it kills is lost, and said."""
    before, memory = sweeping.traces(tmp_path / "results"), psutil.virtual_memory()
    limit = 1 - (memory.available - ROOM) / memory.total
    system = {"RAY_memory_usage_threshold": f"{limit:.4f}", "RAY_memory_monitor_refresh_ms": "100"}
    results, said = suffered(tmp_path, "grow", "--retries", "0", **system)
    rows = bad_rows(results)
    assert {row["status"] for row in rows} == {"lost"}
    for text in (*(str(row["error"]) for row in rows), said):
        assert "out of memory" in text
        assert "--max-concurrent" in text
    fault = "a worker killed by Ray's memory monitor, no retries allowed"
    made_good(fault, results, undisturbed, before, said, alone=False)
