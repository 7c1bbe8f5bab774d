"""Whatever lies in a results folder, each script gives one clear line, or a text that says what is missing."""

from __future__ import annotations

import importlib
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hand_made import baseline, epochs_frame, run, runs_frame

from analysis import frames

pytestmark = pytest.mark.slow  # drawing, kernels or whole sweeps

SCRIPTS: dict[str, tuple[str, ...]] = {  # name -> module, and flags behind the folder
    "summary": ("analysis.summary",),
    "compare": ("analysis.compare",),
    "pareto": ("analysis.pareto",),
    "pareto for a budget": ("analysis.pareto", "--max-parameters", "1e5", "--min-accuracy", "50"),
    "tables": ("analysis.tables.__main__",),
    "plots": ("analysis.plots.__main__",),
    "report": ("analysis.report",),
}
Rows = list[dict[str, Any]]
KNOWN: dict[str, Any] = {"device": "cpu (x)", "threads": 1, "gpus": 0.0, "parameters": 9, "latency_seconds": 0.001}


def grid(seeds: tuple[int, ...] = (0, 1), **fields: Any) -> Rows:
    """A baseline and four cells; the more seeds, the more runs."""
    fields = KNOWN | fields
    cells = [(a, t) for a in (0.1, 0.9) for t in (1.0, 4.0)]
    distilled = [run(0.81 + s / 100, 0.8, seed=s, alpha=a, temperature=t, **fields) for s in seeds for a, t in cells]
    return [*(baseline(0.8 + s / 100, 0.8, seed=s, **fields) for s in seeds), *distilled]


def failed(rows: Rows) -> Rows:
    nothing = {"test_accuracy_last": None, "validation_accuracy_last": None, "latency_seconds": None, "epochs_run": 1}
    return [{**row, **nothing, "status": "failed", "error": "loss is infinite at epoch 2"} for row in rows]


POOR: dict[str, Rows] = {
    "no runs": [],
    "one cell": [run(0.8, 0.8, seed=seed, **KNOWN) for seed in (0, 1, 2)],
    "one baseline": [baseline(0.8, 0.8, **KNOWN)],
    "one run": [run(0.8, 0.8, **KNOWN)],
    "one seed": grid(seeds=(0,)),
    "all failed": failed(grid()),
    "all running": grid(status="running", test_accuracy_last=None),
    "some failed": [*grid(), *failed(grid(seeds=(2,)))],
    "cells alike": [{**row, "test_accuracy_last": 0.8} for row in grid()],
    "nothing but accuracies": [{k: v for k, v in row.items() if k not in KNOWN} for row in grid()],
}
NAN: dict[str, tuple[int, ...]] = {"one NaN": (3,), "a baseline's NaN": (0,), "all NaN": tuple(range(10))}
SLOW = ("plots", "report", "compare", "pareto for a budget")  # so they are given one case of each kind
SHADES = ("one baseline", "one run", "all running", "cells alike", "nothing but accuracies", "a baseline's NaN")
TEXTS = (".md", ".csv", ".html")


def write(folder: Path, rows: Rows, nan: tuple[int, ...] = ()) -> Path:
    """A sweep's folder; the accuracies of the runs at ``nan`` are NaN itself, which pandas alone would not write."""
    folder.mkdir(parents=True)
    runs = runs_frame(rows)
    floats = runs.select_dtypes("Float64").astype("float64")
    for name in ("test_accuracy_last", "validation_accuracy_last", "latency_seconds"):
        floats.loc[list(nan), name] = float("nan")
    table = pa.Table.from_pandas(runs)
    for name in floats:
        at = table.column_names.index(name)
        table = table.set_column(at, name, pa.array(floats[name].to_numpy(), from_pandas=not nan))
    pq.write_table(table, folder / "runs.parquet")
    done = [{"spec_id": s, "epoch": e, "test_accuracy": 0.5} for s in runs["spec_id"] for e in (1, 2)]
    epochs_frame(done).to_parquet(folder / "epochs.parquet")
    return folder


@cache
def main_of(module: str) -> Callable[[list[str]], int]:
    found: Callable[[list[str]], int] = importlib.import_module(module).main
    return found


def outcome(script: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """What it returned, and all that a reader gets of it: what was printed, and the texts that were written."""
    module, *flags = SCRIPTS[script]
    status = main_of(module)([str(folder), *flags])
    printed = capsys.readouterr()
    if status:
        assert (status, printed.out, printed.err.count("\n")) == (2, "", 1), printed
        assert printed.err.startswith("error: ")
        return status, printed.err
    assert printed.err == ""
    return status, "\n".join([printed.out, *(p.read_text() for p in sorted(folder.iterdir()) if p.suffix in TEXTS)])


def read_by_a_person(text: str) -> str:
    return re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("script", "case"), [(s, case) for s in SCRIPTS for case in (*POOR, *NAN) if not (s in SLOW and case in SHADES)]
)
def test_little_is_said_plainly(case: str, script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "mine", POOR[case]) if case in POOR else write(tmp_path / "mine", grid(), NAN[case])
    status, text = outcome(script, folder, capsys)
    words = read_by_a_person(text)
    assert re.findall(r".*(?:(?i:\bnan\b)|<NA>|&lt;NA&gt;|\bNone\b(?!:)|\binf\b).*", words) == []
    if case in ("no runs", "all failed", "all running", "all NaN") and script != "compare":
        assert re.search(r"\b(no|none|nothing)\b", words, flags=re.IGNORECASE), text
    assert status == 0 or script in ("tables", "plots")


def test_nan_is_what_the_file_holds(tmp_path: Path) -> None:
    """Or else the cases above would show nothing."""
    folder = write(tmp_path / "mine", grid(), NAN["one NaN"])
    column = pq.read_table(folder / "runs.parquet")["test_accuracy_last"]
    assert (column.null_count, sum(value != value for value in column.to_pylist())) == (0, 1)
    assert frames.runs(folder)["test_accuracy_last"].isna().sum() == 1


def _nothing(folder: Path) -> None:
    shutil.rmtree(folder)


def _empty(folder: Path) -> None:
    _nothing(folder)
    folder.mkdir()


def _version(folder: Path) -> None:
    pd.read_parquet(folder / "runs.parquet").drop(columns="seed").to_parquet(folder / "runs.parquet")


def _newer(folder: Path) -> None:
    pd.read_parquet(folder / "runs.parquet").assign(grad_clip=1.0).to_parquet(folder / "runs.parquet")


def _foreign(folder: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(folder / "runs.parquet")


def _half(folder: Path) -> None:
    whole = (folder / "runs.parquet").read_bytes()
    (folder / "runs.parquet").write_bytes(whole[: len(whole) // 2])


def _folder(folder: Path) -> None:
    (folder / "runs.parquet").unlink()
    (folder / "runs.parquet").mkdir()


def _per_cent(folder: Path) -> None:
    frame = pd.read_parquet(folder / "runs.parquet")
    frame.assign(test_accuracy_last=81.5).to_parquet(folder / "runs.parquet")


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "nothing": (_nothing, "mine: no such folder"),
    "empty": (_empty, "mine: no results"),
    "another version": (_version, "runs.parquet: missing columns: seed: another version's"),
    "a newer version": (_newer, "runs.parquet: unknown columns: grad_clip: another version's"),
    "a table of something else": (_foreign, "runs.parquet: missing columns: spec_id, status, "),
    "a half-written file": (_half, "runs.parquet: cannot be read, damaged or half written"),
    "a folder for a file": (_folder, "runs.parquet: it is a folder, not a file"),
    "per cent for fractions": (_per_cent, "column test_accuracy_last holds 81.5: it must be a fraction"),
}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_one_line(
    case: str, script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "mine", grid(seeds=(0,)))
    spoil, said = BAD[case]
    spoil(folder)
    status, line = outcome(script, folder, capsys)
    assert status == 2
    assert said in line


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name not in ("summary", "report")])
def test_of_a_results_folder_the_damaged_sweep_is_named_and_not_left_out(
    script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "sweeps" / "good", grid(seeds=(0,)))
    _half(write(tmp_path / "sweeps" / "bad", grid(seeds=(0,))))
    status, line = outcome(script, tmp_path, capsys)
    assert status == 2
    assert "sweeps/bad/runs.parquet: cannot be read" in line
