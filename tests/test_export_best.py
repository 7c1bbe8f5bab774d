"""sweeps/export_best.py on results folders: what it takes, what it says, and every bad input in one line."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import exported_runs
import pandas as pd
import pytest

from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError

ROOT = Path(__file__).parent.parent
SCRIPT = runpy.run_path(str(ROOT / "sweeps" / "export_best.py"), run_name="imported")
CELLS = [{"temperature": t, "alpha": 0.5, "seed": seed} for t in (1, 4) for seed in (0, 1)]
Export = Callable[..., str]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = [exported_runs.trained(**cell) for cell in [*CELLS, {"method": "none"}]]
    return exported_runs.stored(tmp_path_factory.mktemp("export") / "results", *runs)


@pytest.fixture
def export(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Export:
    def call(*argv: object) -> str:
        monkeypatch.setattr(sys, "argv", ["export_best.py", *map(str, argv)])
        SCRIPT["main"]()
        out, err = capsys.readouterr()
        assert err == "" or err.startswith("note: no gain")
        return out

    return call


@pytest.fixture
def refused(export: Export, results: Path) -> Callable[..., str]:
    """The one line; what it leaves of the results folder is what was there."""

    def call(*argv: object) -> str:
        before = sorted(results.rglob("*"))
        with pytest.raises(InputError) as error:
            export(*argv)
        assert sorted(results.rglob("*")) == before
        assert "\n" not in str(error.value)
        return str(error.value)

    return call


def best(results: Path) -> str:
    """By pandas alone."""
    runs = pd.read_parquet(results / "sweeps/first/runs.parquet")
    runs = runs[runs["method"] == "kd"]
    means = runs.groupby("temperature")["validation_accuracy_last"].mean()
    of_best = runs[runs["temperature"] == means.idxmax()]
    return str(of_best.sort_values("validation_accuracy_last", ascending=False)["spec_id"].iloc[0])


def test_the_winner_lies_in_the_results_folder(export: Export, results: Path, tmp_path: Path) -> None:
    said, name = export(results, "--format", "torch_export"), best(results)
    folder = results / "exports" / f"first-{name[:8]}"
    card = json.loads((folder / "card.json").read_text())
    assert (card["spec_id"], card["chosen"]["sweep"], card["chosen"]["n"]) == (name, "first", 2)
    assert str(folder / "model.pt2") in said
    assert f"run {name}" in said
    assert f"computed anew {100 * card['test_accuracy']:.2f} %" in said
    assert "  from load_torch_export import logits\n  logits(pixels)  # float32 pixels in [0, 1], [N, " in said
    again = export(results / "sweeps/first", "--student", "digits_mlp")
    assert str(folder / "model.safetensors") in again
    assert set(json.loads((folder / "card.json").read_text())["files"]) == {"model.pt2", "model.safetensors"}


def test_any_finished_run_can_be_named_a_baseline_too(export: Export, results: Path, tmp_path: Path) -> None:
    (name,) = pd.read_parquet(results / "sweeps/first/runs.parquet").query("method == 'none'")["spec_id"]
    said = export(results, "--run", name[:6], "--out", tmp_path / "mine")
    card = json.loads((tmp_path / "mine" / "card.json").read_text())
    assert (card["spec_id"], card["teacher"], card["spec"]["method"]) == (name, None, "none")
    assert card["chosen"] == {"sweep": "first", "how": "named by --run, not chosen by its accuracy"}
    assert "chosen: named by --run" in said


def test_a_gain_that_is_none_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert SCRIPT["no_gain"](pd.Series({"lead": -0.0125})).startswith("note: no gain; the best cell lies -1.25 points")
    assert SCRIPT["no_gain"](pd.Series({"lead": 0.01})) == SCRIPT["no_gain"](pd.Series({"lead": pd.NA})) == ""


def test_several_winners_are_listed(refused: Callable[..., str], export: Export, results: Path, tmp_path: Path) -> None:
    other = exported_runs.trained(student="digits_cnn", teacher="digits_mlp", seed=5)
    folder = tmp_path / "two"
    exported_runs.stored(folder, other, sweep="second")
    first = exported_runs.trained(**CELLS[0])
    exported_runs.stored(folder, first, sweep="first")
    line = refused(folder)
    assert line.startswith("2 winners that cannot be compared: say --sweep, --student or --run: ")
    for words in (first.spec_id, "first: digits_mlp on digits, 1 epochs, holdout", other.spec_id, "second: digits_cnn"):
        assert words in line
    assert f"run {other.spec_id}" in export(folder, "--sweep", "second")
    assert f"run {first.spec_id}" in export(folder, "--student", "digits_mlp")


def test_two_sweeps_of_one_student_are_named_with_the_flag(refused: Callable[..., str], tmp_path: Path) -> None:
    for sweep, seed in (("first", 0), ("second", 1)):
        exported_runs.stored(tmp_path / "two", exported_runs.trained(seed=seed), sweep=sweep)
    line = refused(tmp_path / "two")
    assert line.startswith("2 sweeps have a winner of digits_mlp on digits, 1 epochs, holdout: say --sweep first (")
    assert " or --sweep second (" in line


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--format pickle", "format: unknown name 'pickle'; allowed: safetensors, onnx, torch_export"),
        ("--sweep fist", "sweep: unknown name 'fist' (did you mean 'first'?); allowed: first"),
        (
            "--student digits_cnn",
            "student: unknown name 'digits_cnn' (did you mean 'digits_mlp'?); allowed: digits_mlp",
        ),
        ("--run zzz", "none of that name; must be a spec_id"),
        ("--fromat onnx", "unrecognized arguments: --fromat onnx (did you mean '--format'?)"),
        ("--data-dir /nowhere", "data_dir: no such folder: /nowhere"),
    ],
)
def test_bad_flags(refused: Callable[..., str], results: Path, flags: str, said: str) -> None:
    assert said in refused(results, *flags.split())


def test_folders_without_a_winner(refused: Callable[..., str], results: Path, tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert "no results" in refused(tmp_path / "empty")
    alone = exported_runs.stored(tmp_path / "alone", exported_runs.trained(method="none"))
    assert "no distilled cell has finished on all its seeds" in refused(alone)
    assert "holds other files" in refused(results, "--out", tmp_path)


def test_own_data_that_raises_what_it_likes_is_not_at_hand() -> None:
    assert SCRIPT["at_hand"]("own_parts:nothing", None) is None
    with pytest.raises(InputError):
        SCRIPT["at_hand"]("own_parts:nothing", "/tmp")


def test_a_uri(export: Export, results: Path) -> None:
    said = export(f"file://{results}", "--format", "safetensors")
    assert "model.safetensors" in said
    assert Storage(f"file://{results}").names("exports")
