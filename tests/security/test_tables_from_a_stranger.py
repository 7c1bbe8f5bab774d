"""A sweep's folder made to attack: every script of analysis gives one clear line, or a page that shows it as text."""

from __future__ import annotations

import importlib
import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import conftest
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import whole_sweep

Change = Callable[[Path], None]
SCRIPTS: dict[str, tuple[str, ...]] = {
    "tables": ("analysis.tables.__main__",),
    "tables as CSV": ("analysis.tables.__main__", "--format", "csv"),
    "tables in LaTeX": ("analysis.tables.__main__", "--format", "latex"),
    "study": ("analysis.study",),
    "pareto": ("analysis.pareto",),
    "compare": ("analysis.compare",),
    "summary": ("analysis.summary",),
    "plots": ("analysis.plots.__main__",),
    "report": ("analysis.report",),
}
SLOW = ("tables", "tables in LaTeX", "compare", "summary", "plots", "report", "pareto")
HARM = "</script><script>alert(1)</script>"
UNSEEN = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe"


def cells(**values: Any) -> Change:
    """These values in the first rows of runs.parquet, each column of its own type."""

    def change(folder: Path) -> None:
        table = pd.read_parquet(folder / "runs.parquet")
        for name, value in values.items():
            column = table[name].astype(object)
            column.iloc[:4] = value
            table[name] = column.astype(table[name].dtype)
        table.to_parquet(folder / "runs.parquet")

    return change


def about(**values: Any) -> Change:
    return lambda folder: (folder / "sweep.json").write_text(json.dumps({**whole_sweep.ABOUT, **values})) and None


def text(content: str) -> Change:
    return lambda folder: (folder / "sweep.json").write_text(content) and None


class Trap:
    """A pickle that makes the mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.mkdir, (self.mark,)


def extension(folder: Path) -> None:
    """The type that made pyarrow up to 14.0.0 load a pickle of the file's (CVE-2023-47248)."""
    table = pq.read_table(folder / "runs.parquet")
    pickled = pickle.dumps(Trap(folder.parents[2] / "sprung"), 0)
    marks = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": pickled}
    schema = pa.schema([table.schema.field(0).with_metadata(marks), *list(table.schema)[1:]], table.schema.metadata)
    pq.write_table(table.cast(schema), folder / "runs.parquet")


def of_pandas(content: bytes) -> Change:
    """What pandas would be told of the table's index and types."""

    def change(folder: Path) -> None:
        table = pq.read_table(folder / "runs.parquet")
        pq.write_table(table.replace_schema_metadata({b"pandas": content}), folder / "runs.parquet")

    return change


def endless(folder: Path) -> None:
    """A hundred million rows of nothing, in a file of a few kB."""
    table = pq.read_table(folder / "runs.parquet").slice(0, 1)
    nothing = pa.nulls(1_000_000, pa.string())
    columns = dict.fromkeys(table.column_names, nothing)
    with pq.ParquetWriter(folder / "runs.parquet", pa.table(columns).schema) as writer:
        for _ in range(21):
            writer.write_table(pa.table(columns))


REFUSED: dict[str, tuple[Change, str]] = {
    "markup for a name": (cells(student=HARM), "column student holds '</script>"),
    "markup for a data set": (cells(dataset="<img src=x>"), "column dataset holds "),
    "a formula for a name": (cells(student="=cmd|' /C calc'!A0"), "column student holds "),
    "a link for a name": (cells(method="[x](javascript:alert)"), "column method holds "),
    "a terminal's commands for a name": (cells(teacher=UNSEEN), "column teacher holds "),
    "a path for a run": (cells(spec_id="../../../home"), "column spec_id holds '../../../home'"),
    "hyperparameters without end": (cells(hyperparameters="[" * 100_000), "column hyperparameters holds "),
    "hyperparameters of other kinds": (cells(hyperparameters='{"kd.x": "<b>"}'), "column hyperparameters holds "),
    "a hyperparameter of 400 digits": (cells(hyperparameters='{"x": 1%s}' % ("0" * 400)), "column hyperparameters h"),
    "an infinite temperature": (cells(temperature=float("inf")), "column temperature holds an infinite number"),
    "another index": (of_pandas(b'{"index_columns": [7], "columns": 5, "column_indexes": [{}]}'), ""),
    "rows without end": (endless, "it has 21,000,000 rows; allowed: up to 20,000,000"),
}
SHOWN: dict[str, Change] = {
    "an extension type with a pickle": extension,
    "own code for a name": cells(student="evil:build", teacher="evilpackage.sub:build", method="evil:loss"),
    "a module of Python's": cells(student="posix:system", dataset="os:system"),
    "texts that a terminal obeys": cells(error=UNSEEN, device=f"cpu ({UNSEEN})"),
    "texts that a page obeys": cells(error=HARM, device=HARM),
    "texts that a spreadsheet obeys": cells(device="=HYPERLINK(1)"),
    "endless times": cells(train_seconds=1e300, latency_seconds=1e300, parameters=2**62, threads=2**62),
    "times before all": cells(train_seconds=-1e300, latency_seconds=-1.0, gpus=-1.0, attempts=-5),
    "endless epochs": cells(epochs=2**62, epochs_run=2**62),
    "an endless learning rate": cells(lr=1e308, temperature=1e308, alpha=-1e308),
    "a command that a page obeys": about(command=HARM, question=HARM, storage=HARM, versions={HARM: HARM}),
    "a command that a terminal obeys": about(command=UNSEEN, name=UNSEEN, question=[UNSEEN]),
    "a card of own code": about(teacher={"architecture": "evil:build", "dataset": HARM, HARM: {HARM: [HARM]}}),
    "values of other kinds": about(teacher=[1], versions=7, metric={}, searcher=[1], ended=5, command=7, question=None),
}
IN_SWEEP_JSON: dict[str, Change] = {  # refused by who reads that file, and of no concern to others
    "nested without end": text("[" * 100_000),
    "nested deep": about(teacher={"a": json.loads("[" * 200 + "]" * 200)}),
    "a number of 5000 digits": text('{"sweep_format": 1, "num_samples": 1%s}' % ("0" * 5000)),
    "a number of 400 digits": text('{"sweep_format": 1, "num_samples": 1%s}' % ("0" * 400)),
    "no time": about(began="yesterday"),
    "no time at all": about(began={"a": 1}),
    "the end of time": about(began="9999-12-31T23:59:59+00:00"),
}
PAIRS = [
    pytest.param(script, attack, marks=pytest.mark.slow if script in SLOW else ())
    for script in SCRIPTS
    for attack in SHOWN
]


@pytest.fixture
def folder(tmp_path: Path, sprung: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep of a stranger's, whose folder is the current one and on Python's path, with modules to be imported."""
    results = conftest.plant(tmp_path / "stranger")
    monkeypatch.chdir(results)
    monkeypatch.syspath_prepend(str(results / "nothing"))
    monkeypatch.setattr("sys.path", [*__import__("sys").path, str(results)])
    return whole_sweep.write(results / "sweeps" / "whole")


def outcome(script: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    module, *flags = SCRIPTS[script]
    status = importlib.import_module(module).main([str(folder), *flags])
    printed = capsys.readouterr()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", printed.out + printed.err)
    if status:
        assert (status, printed.out, printed.err.count("\n")) == (2, "", 1), printed
    return status, printed.out, printed.err


@pytest.mark.parametrize("script", ["study", pytest.param("report", marks=pytest.mark.slow)])
@pytest.mark.parametrize("attack", REFUSED)
def test_what_no_sweep_writes_is_one_line(
    attack: str, script: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, said = REFUSED[attack]
    change(folder)
    status, _, line = outcome(script, folder, capsys)
    assert status == 2
    assert "sweeps/whole/runs.parquet: " in line
    assert said in line


@pytest.mark.parametrize(("script", "attack"), PAIRS)
def test_what_a_sweep_might_write_is_shown_as_text(
    script: str, attack: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    SHOWN[attack](folder)
    outcome(script, folder, capsys)
    for page in folder.rglob("*.html"):
        assert HARM not in page.read_text()
    for written in [*folder.rglob("*.csv"), *folder.rglob("*.md")]:
        content = written.read_text()
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", content)
        assert not (written.suffix == ".csv" and re.search(r"(^|,)\"?[=@]", content, flags=re.MULTILINE)), content[:500]


@pytest.mark.parametrize("script", ["study", pytest.param("report", marks=pytest.mark.slow)])
@pytest.mark.parametrize("attack", IN_SWEEP_JSON)
def test_a_bad_sweep_json_is_one_line_or_left_out(
    attack: str, script: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    IN_SWEEP_JSON[attack](folder)
    status, _, line = outcome(script, folder, capsys)
    assert (status, "sweep.json: " in line) in ((2, True), (0, False))


def test_a_text_that_a_spreadsheet_takes_for_a_formula_gets_an_apostrophe() -> None:
    from analysis.strangers import for_spreadsheet

    table = pd.DataFrame({"a": ["=1+1", "+1", "-1", "@x", "kd", None], "b": [-1.5] * 6})
    found = for_spreadsheet(table)
    assert found["a"].dropna().tolist() == ["'=1+1", "'+1", "'-1", "'@x", "kd"]
    assert found["b"].tolist() == [-1.5] * 6
