"""Ours beside theirs: like with like, one recipe a mean, and plain words for what differs or is not there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hand_made import baseline, cell, run, runs_frame
from matplotlib.image import imread

from analysis.compare import compare, compared, main
from analysis.plots.published import scatter

ROOT = Path(__file__).parent.parent.parent
GRID: dict[str, Any] = {
    "student": "cnn2", "mode": "cse", "temperature": 10.0, "alpha": 0.5, "convention": "unscaled",
    "epochs": 100, "protocol": "published",
}  # fmt: skip
MODES: dict[str, Any] = {
    "student": "conv4", "teacher": "vgg16", "mode": "mse", "temperature": 8.0, "alpha": 1.0, "optimizer": "adam",
    "lr": 1e-4, "weight_decay": 0.0, "schedule": "constant", "epochs": 300, "protocol": "published",
}  # fmt: skip
CELL = {"student": "cnn2", "alpha": "0.5", "temperature": "10"}


def grid(rows: list[dict[str, Any]]) -> Any:
    """Our answer to alpha .5, T 10 of cifar10_grid, whose number is 0.6255 and whose epoch is unknown."""
    return cell(compared("cifar10_grid", runs_frame(rows)), **CELL)


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True)
    runs_frame(rows).to_parquet(folder / "runs.parquet")
    return folder


def test_mean_interval_and_difference() -> None:
    row = grid([run(test, seed=seed, **GRID) for seed, test in enumerate((0.60, 0.62, 0.64))])
    assert (row["ours"], row["ours_n"], row["ours_seeds"]) == (pytest.approx(0.62), 3, "0, 1, 2")
    assert row["ours_half_width"] == pytest.approx(4.302653 * 0.02 / 3**0.5)  # t(0.975, 2) of a printed table
    assert row["difference"] == pytest.approx(0.62 - 0.6255)
    assert (row["differs"], row["others"], row["ours_epoch"]) == ("", "", "last")


def test_one_seed_shows_no_interval() -> None:
    row = grid([run(0.62, **GRID)])
    assert (row["ours_n"], row["ours_half_width"]) == (1, pd.NA)


@pytest.mark.parametrize(
    "other",
    [
        {"dataset": "cifar100"}, {"student": "resnet8"}, {"teacher": "wrn_16_2"}, {"method": "sp"}, {"mode": "kl"},
        {"temperature": 20.5}, {"alpha": 0.6}, {"convention": "hinton"}, {"control": "shuffled-teacher"},
        {"status": "failed"}, {"status": "stopped"}, {"temperature": None, "temperature_schedule": "[[0, 10.0]]"},
    ],
)  # fmt: skip
def test_what_is_another_experiment_or_unfinished_is_left_blank(other: dict[str, Any]) -> None:
    row = grid([run(0.62, **{**GRID, **other})])
    assert pd.isna(row["ours"])
    assert pd.isna(row["difference"])


def test_best_is_held_against_best_and_last_against_last() -> None:
    rows = [run(0.85, test_accuracy_best=0.88, **MODES)]
    row = cell(compared("kd_modes", runs_frame(rows)), mode="mse", temperature="8", alpha="1")
    assert (row["epoch"], row["ours_epoch"], row["ours"]) == ("best", "best", 0.88)
    rows = [baseline(0.74, test_accuracy_best=0.76, student="conv5x5", seed=10)]
    row = cell(compared("temperature_vs_seed", runs_frame(rows)), seed="10")
    assert (row["epoch"], row["ours_epoch"], row["ours"]) == ("last", "last", 0.74)


def test_budgets_are_never_mixed_and_the_longest_is_shown() -> None:
    short = [run(0.5, seed=seed, **{**GRID, "epochs": 5, "protocol": "holdout"}) for seed in (0, 1)]
    longer = run(0.6, **{**GRID, "epochs": 60, "protocol": "holdout"})
    row = grid([*short, longer])
    assert (row["ours"], row["ours_n"]) == (0.6, 1)
    assert row["differs"] == "60 epochs (theirs 100); protocol holdout (theirs published)"
    assert row["others"] == "5 epochs, holdout: 50.00 (n=2)"


def test_their_very_recipe_comes_before_a_longer_one() -> None:
    row = grid([run(0.7, **{**GRID, "epochs": 300}), run(0.6, **GRID)])
    assert (row["ours"], row["differs"], row["others"]) == (0.6, "", "300 epochs, published: 70.00 (n=1)")


def test_the_plain_recipe_is_shown_where_a_row_says_nothing_of_tricks() -> None:
    off = {"mixup": 0.0, "cutout": 0, "linear_scaling": False, "init": "default"}
    tricks = [{"mixup": 0.2}, {"cutout": 8}, {"linear_scaling": True}, {"init": "xavier"}]
    row = grid([run(0.9, **GRID, **{**off, **trick}) for trick in tricks] + [run(0.6, **GRID, **off)])
    assert (row["ours"], row["differs"]) == (0.6, "")
    assert row["others"].count("; ") == 3
    assert row["others"].endswith("; 1 more")
    assert grid([run(0.9, **GRID, mixup=0.2, precision="bf16")])["differs"] == "mixup 0.2; precision bf16"


def test_a_published_seed_is_held_against_that_seed_alone() -> None:
    rows = [baseline(0.7 + seed / 1000, student="conv5x5", seed=seed) for seed in (10, 20)]
    table = compared("temperature_vs_seed", runs_frame(rows))
    assert cell(table, seed="20")["ours"] == pytest.approx(0.72)
    assert pd.isna(cell(table, seed="777")["ours"])


def test_an_empty_table_is_filled_by_ours() -> None:
    plain = {
        "init": "default", "pretrained": False, "no_bias_decay": False, "label_smoothing": 0.0, "random_erasing": 0.0,
        "linear_scaling": False, "cutout": 0, "dropout": 0.0, "mixup": 0.0, "zero_gamma": False, "schedule": "step",
        "dataset": "cifar100", "student": "mobilenetv2",
    }  # fmt: skip
    rows = [baseline(0.70, **plain), baseline(0.71, **{**plain, "mixup": 0.2})]
    table = compared("training_tricks", runs_frame(rows))
    assert cell(table, note="baseline")["ours"] == 0.70
    mixed = cell(table, note="+mixup")
    assert (mixed["ours"], mixed["difference"]) == (0.71, pd.NA)
    assert "mixup 0.2" in mixed["differs"]
    assert table["ours"].count() == 2


def test_three_files_for_a_results_folder_and_every_published_table(tmp_path: Path) -> None:
    write(tmp_path / "sweeps" / "one", [run(0.62, **GRID)])
    write(tmp_path / "sweeps" / "two", [run(0.85, test_accuracy_best=0.88, spec_id="x", **MODES)])
    (tmp_path / "sweeps" / "begun").mkdir()
    text = compare(str(tmp_path))
    assert (tmp_path / "compare.md").read_text() == text
    assert text.count("\n## ") == 8
    assert "| 62.55  | 62.00 | 1   | -0.55" in text
    assert "- Theirs is the best epoch on the test set, so ours is too" in text
    assert text.count("- Nothing of ours fits.") == 6
    whole = pd.read_csv(tmp_path / "compare.csv")
    assert (len(whole), whole["ours"].count()) == (246, 2)
    assert imread(tmp_path / "compare.png").shape[0] > 500


def test_what_is_printed_is_what_has_something_of_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "mine", [run(0.62, **GRID)])
    assert main([f"{tmp_path}/mine/"]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("## ")] == ["## cifar10_grid"]
    assert "\n7 collections have nothing of yours: " in out
    assert out.endswith("".join(f"  {tmp_path}/mine/compare.{kind}\n" for kind in ("md", "csv", "png")))


def test_of_a_sweeps_folder_what_it_has_a_run_for(tmp_path: Path) -> None:
    folder = write(tmp_path / "sweeps" / "kd_modes", [run(0.62, **GRID)])
    text = compare(f"{folder}/")
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## cifar10_grid", "## kd_modes"]
    assert (folder / "compare.csv").exists()


def test_a_run_of_two_sweeps_counts_once(tmp_path: Path) -> None:
    one = write(tmp_path / "sweeps" / "one", [run(0.62, **GRID), run(0.60, seed=1, **GRID)])
    shutil.copytree(one, tmp_path / "sweeps" / "two")
    compare(str(tmp_path))
    assert pd.read_csv(tmp_path / "compare.csv")["ours_n"].dropna().tolist() == [2]


def test_where_nothing_fits_no_old_picture_is_left(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", [run(0.62)])
    (folder / "compare.png").write_bytes(b"of an earlier time")
    assert "## " not in compare(str(folder))
    assert not (folder / "compare.png").exists()


def test_what_differs_throughout_is_said_once(tmp_path: Path) -> None:
    short = {**GRID, "epochs": 5, "protocol": "holdout"}
    folder = write(tmp_path / "mine", [run(0.5, **short), run(0.5, **{**short, "alpha": 0.9})])
    line = "- Ours differs throughout: 5 epochs (theirs 100); protocol holdout (theirs published)."
    assert line in compare(str(folder))


def test_the_picture_has_ours_above_theirs_on_one_scale() -> None:
    rows = [run(0.62, **GRID), run(0.61, **{**GRID, "alpha": 0.1}), baseline(0.6, student="cnn2", epochs=100)]
    figure = scatter({"cifar10_grid": compared("cifar10_grid", runs_frame(rows))})
    assert figure is not None
    (ax,) = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("published test accuracy (%)", "our test accuracy, last epoch (%)")
    assert ax.get_xlim() == ax.get_ylim()
    drawn = {tuple(point) for line in ax.lines for point in line.get_xydata()}
    assert {(62.55, 62.0), (60.95, 61.0), (61.28, 60.0)} <= {(round(x, 4), round(y, 4)) for x, y in drawn}
    assert scatter({"cifar10_grid": compared("cifar10_grid", runs_frame([]))}) is None


@pytest.mark.parametrize(
    "way", [pytest.param([str(ROOT / "analysis" / "compare.py")], marks=pytest.mark.slow), ["-m", "analysis.compare"]]
)
def test_as_a_script_and_as_a_module_without_torch(tmp_path: Path, way: list[str]) -> None:
    folder = write(tmp_path / "mine", [run(0.62, **GRID)])
    done = subprocess.run([sys.executable, *way, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith((folder / "compare.md").read_text())


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda path: None, "no such folder; give RESULTS, or a sweep's"),
        (lambda path: path.mkdir(), "no results; there is neither runs.parquet nor sweeps/NAME/runs.parquet in it"),
        (lambda path: path.write_text("x"), "not a folder; give RESULTS, or a sweep's"),
        (lambda path: (path.mkdir(), (path / "runs.parquet").write_bytes(b"PAR1")), "cannot be read, damaged"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], prepare: Any, said: str) -> None:
    prepare(tmp_path / "results")
    assert main([str(tmp_path / "results")]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert captured.err.startswith("error: ")
    assert said in captured.err


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--figure"]])
def test_anything_but_one_folder_is_refused_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("usage: python analysis/compare.py RESULTS")
