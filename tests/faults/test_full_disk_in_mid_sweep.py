"""The disk of the results fills up in mid-sweep: one line; after making room the same command goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sweeping
from ledger import Outcome, Snapshot, record

SIZE = 96 * 2**20  # more than the 64 MiB that a sweep asks for before it starts


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of memory, mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    assert os.geteuid() == 0, "mounting a small disk needs root: run `make test-faults` as root"
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Takes all the room that is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            while True:
                try:
                    if file.write(bytes(size)) < size:
                        break
                except OSError:
                    break
    return ballast


@pytest.mark.fault
def test_full_disk_in_mid_sweep(undisturbed: Path, disk: Path) -> None:
    results = disk / "results"
    before = sweeping.traces(results)
    process = sweeping.start(results)
    sweeping.in_the_middle(results, process)
    snapshot, ballast = Snapshot.of(results), fill(disk)
    said = sweeping.finish(process)
    last = said.stderr.splitlines()[-1]
    assert (said.returncode, said.stdout, "Traceback" in said.stderr) == (2, "", False), said.stderr
    assert last.startswith(f"digits_grid.py: error: storage: {results}"), said.stderr
    assert "No space left on device" in last
    assert list(results.rglob(".*.tmp")) == []
    ballast.unlink()
    sweeping.complete(results)
    later = Snapshot.of(results)
    lost, repeated = len(snapshot.lost(later)), len(snapshot.repeated(later))
    same, left = sweeping.same_table(results, undisturbed), sweeping.left_behind(before)
    outcome = Outcome("a full disk in mid-sweep", 1, lost, repeated, same, left, "one line, exit status 2")
    record(outcome)
    assert outcome.harmless
