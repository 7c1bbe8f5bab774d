"""Every field that a sweep can vary is what its trial was given, what is recorded, and changes what is computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from short_runs import history, result

from kd_trainable.spec import FIELDS, RunSpec
from kd_trainable.tuning.command import Preset, parse

OWN_METHOD = {"method": "own_parts:logit_distance"}
STEPS = {"schedule": "multistep", "milestones": [1]}
STILL = {"lr": 1e-9}  # learns nothing: the first epoch's accuracy stays the best, while the loss still falls a little
FEATURES = {"method": "pkt", "taps": ["embedding:0"]}
# field -> (what it is set to, what else a run has for it to matter)
CHANGED: dict[str, tuple[Any, dict[str, Any]]] = {
    "temperature": (2.0, {}),
    "alpha": (0.5, {}),
    "mode": ("mse", {}),
    "convention": ("additive", {}),
    "control": ("shuffled-teacher", {}),
    "student": ("own_parts:linear", {}),
    "method": ("own_parts:logit_distance", {}),
    "hyperparameters": ({"power": 3.0}, OWN_METHOD),
    "taps": (["embedding:1"], FEATURES),
    "pkt.weight": (3.0, FEATURES),
    "peer": ("own_parts:linear", {"method": "dml"}),
    "optimizer": ("adam", {}),
    "rho": (0.5, {"optimizer": "adadelta"}),
    "lr": (0.02, {}),
    "momentum": (0.5, {}),
    "nesterov": (True, {}),
    "weight_decay": (0.1, {}),
    "schedule": ("constant", {}),
    "milestones": ([2], STEPS),
    "step_epochs": (1, {"schedule": "step"}),
    "plateau_patience": (1, {"schedule": "plateau", **STILL}),
    "gamma": (0.5, STEPS),
    "fresh_optimizer": (True, STEPS),
    "warmup_epochs": (1, {}),
    "batch_size": (32, {}),
    "augment": ("flip", {}),
    "random_erasing": (1.0, {}),
    "cutout": (4, {}),
    "mixup": (1.0, {}),
    "normalization": ("other", {}),
    "dropout": (0.5, {}),
    "init": ("xavier", {}),
    "zero_gamma": (True, {"student": "resnet8"}),
    "no_bias_decay": (True, {"weight_decay": 0.1}),
    "linear_scaling": (True, {}),
    "label_smoothing": (0.2, {}),
    "patience": (1, STILL),
    "monitor": ("loss", {"patience": 1, "lr": 1e-5}),
    "precision": ("bf16", {}),
}
OF_THE_WHOLE_SWEEP = {"dataset", "teacher", "protocol", "epochs", "seed"}
NEEDS_WEIGHTS = {"pretrained"}  # which are torchvision's: see test_start.py


def cells() -> list[dict[str, Any]]:
    """Every changed cell, and the one that it is compared with, each once."""
    both = ([{**further, field: value}, further] for field, (value, further) in CHANGED.items())
    found: list[dict[str, Any]] = []
    for cell in (cell for pair in both for cell in pair):
        if cell not in found:
            found.append(cell)
    return found


@pytest.fixture(scope="module")
def swept(
    short_sweep: Callable[..., pd.DataFrame], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, pd.DataFrame]:
    """One sweep of which each cell differs from another in one field: its storage, and its runs."""
    storage = tmp_path_factory.mktemp("keys")
    runs = short_sweep(
        storage,
        blocks=[{name: [value] for name, value in cell.items()} for cell in cells()],
        dataset="own_parts:few_digits",
        teacher_recipe={"student": "own_parts:linear", "epochs": 2, "augment": "none"},
        baselines=False,
        seeds=[3],
    )
    return storage, runs


def run_with(storage: Path, runs: pd.DataFrame, cell: dict[str, Any]) -> dict[str, Any]:
    """The result of the run whose recorded spec has the cell's values, and defaults else."""
    dotted = {name: value for name, value in cell.items() if "." in name}
    plain = {name: value for name, value in cell.items() if "." not in name}
    if dotted:
        plain["hyperparameters"] = dotted
    fixed = {"dataset": "own_parts:few_digits", "teacher": "own_parts:linear", "seed": 3, "batch_size": 64}
    wanted = RunSpec(**{**fixed, "student": "digits_mlp", "augment": "none", "lr": 0.05, "epochs": 3, **plain}).flat()
    found = [r for r in (result(storage, spec_id) for spec_id in runs["spec_id"]) if r["spec"] == wanted]
    assert len(found) == 1, cell
    return found[0]


@pytest.mark.parametrize("field", CHANGED)
def test_a_run_with_it_differs_from_the_one_without(field: str, swept: tuple[Path, pd.DataFrame]) -> None:
    storage, runs = swept
    value, further = CHANGED[field]
    with_it, without = run_with(storage, runs, {**further, field: value}), run_with(storage, runs, further)
    assert with_it["spec_id"] != without["spec_id"]
    assert {with_it["status"], without["status"]} == {"finished"}
    assert history(storage, with_it["spec_id"]) != history(storage, without["spec_id"])


def test_the_table_says_what_each_run_was_given(swept: tuple[Path, pd.DataFrame]) -> None:
    _, runs = swept
    assert len(runs) == len(cells())
    by_field = {field: value for field, (value, _) in CHANGED.items() if isinstance(value, str | float | int)}
    assert '{"pkt.weight": 3.0}' in set(runs["hyperparameters"].dropna())
    for field, value in by_field.items():
        assert "." in field or value in list(runs[field].dropna()), field


def test_no_field_is_left_out() -> None:
    assert CHANGED.keys() - {"pkt.weight"} | OF_THE_WHOLE_SWEEP | NEEDS_WEIGHTS == set(FIELDS)


def test_every_field_is_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("some_sweep", "A doc.", {"one": Preset("a preset", {})}, ["--help"])
    text = capsys.readouterr().out
    flags = {"seed": "--seeds "} | {field: f"--{field.replace('_', '-')}" for field in FIELDS if field != "seed"}
    assert [field for field, flag in flags.items() if flag not in text] == []


def test_what_a_whole_sweep_shares_reaches_its_runs(swept: tuple[Path, pd.DataFrame]) -> None:
    _, runs = swept
    for field, value in (("dataset", "own_parts:few_digits"), ("teacher", "own_parts:linear"), ("seed", 3)):
        assert set(runs[field].dropna()) == {value}
    assert set(runs["protocol"]) == {"holdout"}
    taught = runs["method"].ne("dml")  # mutual learning has no teacher
    assert runs.loc[taught, "teacher"].notna().all()
    assert runs.loc[taught, "teacher_fingerprint"].notna().all()
    assert runs["teacher_fingerprint"].nunique() == 1
