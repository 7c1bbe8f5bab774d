"""Ctrl-C, at any time and again: status 130 and a line or two, nothing left, and the same command goes on."""

from __future__ import annotations

import functools
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import sweeping
from ledger import Outcome, Snapshot, record

LOADING = ("numpy", "libarrow", "libtorch_cpu", "_raylet")  # libraries as they come, all within the first seconds


def interrupt(process: subprocess.Popen[str], *pauses: float) -> subprocess.CompletedProcess[str]:
    """Ctrl-C to the whole foreground, as a terminal does it, and again after each pause; then what came of it."""
    for pause in (0.0, *pauses):
        time.sleep(pause)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
    return sweeping.finish(process)


def assert_quiet(said: subprocess.CompletedProcess[str]) -> None:
    lines = [line for line in said.stderr.splitlines() if line]
    assert said.returncode == 130, said.stderr
    assert "Traceback" not in said.stderr, said.stderr
    assert "stopped" in lines[-1], said.stderr
    assert sum("stopped" in line or "nterrupt" in line for line in lines) <= 2, said.stderr


@pytest.mark.fault
def test_three_times_over(undisturbed: Path, tmp_path: Path) -> None:
    """During training, 0.3 s later during the shutdown, and once more; from the first second on."""
    results, given, snapshots = tmp_path / "results", 0, []
    before = sweeping.traces(results)
    for finished in (0, 3):
        process = sweeping.start(results)
        sweeping.in_the_middle(results, process, finished)
        sweeping.wait_for(sweeping.trials, process)
        said = interrupt(process, 0.3, 0.5)
        assert_quiet(said)
        command = re.escape(" ".join([*sweeping.FLAGS, "--storage", str(results)]))
        *_, last = said.stderr.splitlines()
        assert re.fullmatch(rf"stopped; nothing is lost\. To go on: \S*python[\d.]* \S*digits_grid\.py {command}", last)
        snapshots.append(Snapshot.of(results))
        given += 3
    sweeping.complete(results)
    later = Snapshot.of(results)
    lost = {run for snapshot in snapshots for run in snapshot.lost(later)}
    repeated = {run for snapshot in snapshots for run in snapshot.repeated(later)}
    same, left = sweeping.same_table(results, undisturbed), sweeping.left_behind(before)
    outcome = Outcome("Ctrl-C, again 0.3 s later, and once more", given, len(lost), len(repeated), same, left)
    record(outcome)
    assert outcome.harmless


def loads(process: subprocess.Popen[str], library: str) -> bool:
    """Whether the process has the library in its memory."""
    return library in Path(f"/proc/{process.pid}/maps").read_text()


@pytest.mark.fault
@pytest.mark.parametrize("pauses", [(), (0.05, 0.3)])
def test_while_libraries_load(pauses: tuple[float, ...], tmp_path: Path) -> None:
    """Before anything has begun there is nothing to lose: no traceback, and nothing left."""
    results = tmp_path / "results"
    before = sweeping.traces(results)
    for library in LOADING:
        process = sweeping.start(results)
        sweeping.wait_for(functools.partial(loads, process, library), process)
        assert_quiet(interrupt(process, *pauses))
    left = sweeping.left_behind(before)
    times = len(LOADING) * (1 + len(pauses))
    outcome = Outcome("Ctrl-C, once and again, while libraries load", times, 0, 0, None, left)
    record(outcome)
    assert outcome.harmless
    assert not results.exists()
