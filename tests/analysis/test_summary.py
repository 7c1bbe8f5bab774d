"""The finishing step of a sweep, as a function and as a command."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from hand_made import baseline, run, runs_frame

from analysis.summary import PICTURES, main, summarise


def test_table_and_picture_are_written_and_the_table_returned(tmp_path: Path) -> None:
    runs_frame([baseline(0.8, 0.8), run(0.82, 0.8)]).to_parquet(tmp_path / "runs.parquet")
    text = summarise(str(tmp_path))
    assert "82.00 (+2.00, n=1)" in text
    assert (tmp_path / "table.md").read_text() == text
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "heatmap.png",
        "optuna.journal",
        "runs.parquet",
        "table.md",
    ]


@pytest.mark.parametrize(
    ("rows", "pictures"),
    [
        ([run(0.8), run(0.8, method="at", mode=None, temperature=None, alpha=None)], ["methods.png"]),
        ([baseline(0.8, mixup=0.0), baseline(0.8, mixup=0.2), run(0.8, mixup=0.0)], ["tricks.png"]),
        ([run(0.8), run(0.8, temperature=2.0)], ["heatmap.png"]),
        ([run(0.8), run(0.8, temperature=2.0), run(0.8, method="at", alpha=None)], ["heatmap.png", "methods.png"]),
        ([baseline(0.8), run(0.8, status="failed"), run(0.8, temperature=2.0, status="failed")], ["cells.png"]),
        ([run(0.8, lr=0.1), run(0.8, lr=0.2)], ["cells.png"]),
    ],
)
def test_the_picture_suits_the_sweep_and_the_other_is_removed(tmp_path: Path, rows: list, pictures: list[str]) -> None:
    for name in PICTURES:
        (tmp_path / name).write_bytes(b"of an earlier time")
    runs_frame(rows).to_parquet(tmp_path / "runs.parquet")
    summarise(str(tmp_path))
    found = sorted(path.name for path in tmp_path.glob("*.png"))
    assert found == pictures
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in found)


def test_a_uri_will_do(tmp_path: Path) -> None:
    runs_frame([run(0.82, 0.8)]).to_parquet(tmp_path / "runs.parquet")
    summarise(tmp_path.as_uri())
    assert (tmp_path / "heatmap.png").exists()


@pytest.mark.parametrize("rows", [[], [run(0.1, status="failed")], [run(None, status="finished")]])
def test_with_nothing_finished_no_old_picture_is_left(tmp_path: Path, rows: list) -> None:
    (tmp_path / "heatmap.png").write_bytes(b"of an earlier time")
    runs_frame(rows).to_parquet(tmp_path / "runs.parquet")
    assert "No run has finished" in summarise(str(tmp_path))
    assert not (tmp_path / "heatmap.png").exists()


def test_the_command_prints_the_table_without_ray_or_torch(tmp_path: Path) -> None:
    runs_frame([run(0.82, 0.8)]).to_parquet(tmp_path / "runs.parquet")
    code = (
        "import sys; from analysis.summary import main; status = main(sys.argv[1:]);"
        "print(sorted({'ray', 'torch', 'matplotlib.pyplot'} & set(sys.modules))); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    *table, loaded = done.stdout.splitlines()
    assert "\n".join(table) + "\n" == (tmp_path / "table.md").read_text()
    assert loaded == "[]"


def test_a_wrong_folder_is_one_line_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nowhere")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--figure"]])
def test_anything_but_one_folder_is_refused_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == "usage: python -m analysis.summary RESULTS/sweeps/NAME\n"


@pytest.mark.parametrize("script", ["report", "compare", "summary", "study"])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_says_what_a_script_does(script: str, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert importlib.import_module(f"analysis.{script}").main([flag]) == 0
    out, err = capsys.readouterr()
    usage, blank, *about = out.splitlines()
    assert usage.startswith("usage: python ")
    assert (blank, len(about), err) == ("", 2, "")
