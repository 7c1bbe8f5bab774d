"""The same command again starts nothing, and prints the same table."""

from __future__ import annotations

import runpy
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from short_runs import files

from kd_trainable.tuning.main import main

SWEEPS = Path(__file__).parent.parent / "sweeps"


@pytest.fixture
def digits_grid(teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """A small part of sweeps/digits_grid.py, run in this process; returns its exit status."""
    script = runpy.run_path(str(SWEEPS / "digits_grid.py"))
    argv = ["--temperature", "1", "4", "--alpha", "0.9", "--mode", "kl", "--seeds", "0", "1", "--epochs", "2"]
    argv += ["--teacher", teacher, "--storage", str(tmp_path / "results")]

    def run() -> int:
        with pytest.raises(SystemExit) as end:
            main("digits_grid", script["__doc__"], script["PRESETS"], script["summarise"], argv)
        return int(str(end.value.code))

    return run


def test_same_table_same_files(
    cluster: None,
    digits_grid: Callable[[], int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    storage = tmp_path / "results"
    assert digits_grid() == 0
    first, before = capsys.readouterr(), files(storage / "runs")
    assert "teacher passes over the training images: 1, not 8" in first.err
    assert len(first.err.splitlines()) == 4  # the plan, the passes, the teacher, the passes made: no view, no terminal
    assert len(before) == 6 * 4
    assert_written_and_printed(storage / "sweeps" / "digits_grid", first.out)
    request.getfixturevalue("nothing_starts")
    began = time.monotonic()
    assert digits_grid() == 0
    again = capsys.readouterr()
    assert again.out == first.out
    assert again.err == "all 6 runs are done already; nothing to start\n"
    assert files(storage / "runs") == before
    assert time.monotonic() - began < 20  # seconds; about one of them where nothing else runs


def assert_written_and_printed(folder: Path, out: str) -> None:
    written = {"runs.parquet", "epochs.parquet", "table.md", "heatmap.png"}
    assert written <= {path.name for path in folder.iterdir()}
    assert all(str(folder / name) in out for name in written)
    assert (folder / "table.md").read_text().strip() in out
    assert (folder / "heatmap.png").read_bytes().startswith(b"\x89PNG")
