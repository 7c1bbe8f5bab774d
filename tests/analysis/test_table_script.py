"""``python -m analysis.tables``: one table, in one format, and one line for whatever is wrong."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hand_made import baseline, run, runs_frame

from analysis.tables.__main__ import main


@pytest.fixture
def folder(tmp_path: Path) -> str:
    where = tmp_path / "sweeps" / "grid"
    where.mkdir(parents=True)
    settings = [(alpha, t) for alpha in (0.1, 0.5) for t in (1.0, 4.0)]
    rows = [baseline(0.7 + s / 100, 0.7, seed=s) for s in (0, 1)]
    rows += [
        run(0.8 + s * a / 90 + a / 9, 0.8 + a / 9, alpha=a, temperature=t, seed=s) for a, t in settings for s in (0, 1)
    ]
    runs_frame(rows).to_parquet(where / "runs.parquet")
    return str(where)


def test_markdown_of_the_grid_is_printed(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([folder]) == 0
    text = capsys.readouterr().out
    assert "### mode kl" in text
    assert "|       | T=1 " in text
    assert "★ is selected by validation accuracy" in text


@pytest.mark.parametrize("table", ["alpha-temperature", "methods", "seeds", "differences", "variance"])
@pytest.mark.parametrize(
    ("name", "begins"), [("markdown", ""), ("latex", "% \\usepackage{booktabs}"), ("csv", "table,")]
)
def test_every_table_in_every_format(
    folder: str, table: str, name: str, begins: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([folder, "--table", table, "--format", name]) == 0
    assert capsys.readouterr().out.startswith(begins)


def test_a_file_is_written_and_named(folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "seeds.parquet"
    assert main([folder, "--table", "seeds", "--format", "parquet", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert len(pd.read_parquet(out)) == 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: FOLDER"),
        (["FOLDER", "--table", "grid"], "argument --table: invalid choice: 'grid'"),
        (["FOLDER", "--format", "parquet"], "--format parquet needs --out FILE"),
        (["/nowhere/sweeps/x"], "/nowhere/sweeps/x"),
        (["FOLDER", "--out", "/nowhere/there/x.md"], "/nowhere/there"),
        (["FOLDER", "--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: list[str], said: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([folder if word == "FOLDER" else word for word in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1


def test_a_table_that_cannot_be_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs_frame([run(0.8, 0.8)]).to_parquet(tmp_path / "runs.parquet")
    assert main([str(tmp_path), "--table", "differences"]) == 2
    assert capsys.readouterr().err == "error: No differences: no baseline was run.\n"


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "python -m analysis.tables results/sweeps/cifar10_grid" in capsys.readouterr().out
