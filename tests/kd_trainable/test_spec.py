"""A run's name: what is one run and what is another."""

from __future__ import annotations

import importlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kd_trainable.records import SPEC_COLUMNS
from kd_trainable.spec import FIELDS, RunSpec, spec_id
from kd_trainable.vocabulary import InputError

DATA, TEACHER = "d" * 64, "7" * 64


def name(**changes: Any) -> str:
    return spec_id(RunSpec(**changes), DATA, TEACHER)


# Never rewritten: results that lie under these names would be lost. A change that alters a run's numbers raises the
# engine's or the method's numerics, which alters all of them at once, and says so in CHANGELOG.md.
PINNED = {
    "f2aff74cb5202baf": {},
    "d743c56aca45d06a": {"method": "none"},
    "e45551a1d5db436d": {"temperature": 10, "alpha": 0.5, "mode": "cse"},
    "0caf325cea443244": {"mode": "logit_mse", "alpha": 1},
    "21996ed48eb75f13": {"dataset": "digits", "teacher": "digits_cnn", "student": "digits_mlp", "batch_size": 64},
    "9e2ca53c2a3c5018": {"optimizer": "adam", "lr": 1e-3, "schedule": "constant", "convention": "unscaled"},
    "dbe124152710541d": {"schedule": "multistep", "milestones": [15, 25], "nesterov": True, "fresh_optimizer": True},
    "936c79c574885eb0": {"temperature": [[0, 1], [5, 4]], "alpha": [[0, 0.9], [10, 0.5]]},
    "5c9a5aa2d9710b4e": {
        "control": "shuffled-teacher",
        "protocol": "published",
        "precision": "bf16",
        "seed": 2**63 - 1,
    },
    "4b53881f1448f95a": {
        "convention": "hard_lambda",
        "alpha": 2.0,
        "augment": "none",
        "label_smoothing": 0.1,
        "epochs": 5,
    },
}


def test_ten_pinned_names() -> None:
    assert {name(**changes): changes for changes in PINNED.values()} == PINNED


def test_a_value_is_one_value_however_it_is_written() -> None:
    common = {"schedule": "multistep"}
    spellings: list[dict[str, Any]] = [
        {"temperature": 1, "epochs": 5, "milestones": [3], "nesterov": True},
        {"temperature": 1.0, "epochs": 5.0, "milestones": (3,), "nesterov": np.True_},
        {"temperature": "1", "epochs": "5", "milestones": ["3"], "nesterov": "true"},
        {"temperature": np.float64(1), "epochs": np.int32(5), "milestones": np.array([3]), "nesterov": "True"},
        {"temperature": np.int64(1), "epochs": np.float32(5), "milestones": [3.0], "nesterov": True},
    ]
    assert len({name(**common, **spelling) for spelling in spellings}) == 1
    assert len({repr(RunSpec(**common, **spelling).flat()) for spelling in spellings}) == 1
    assert name(weight_decay=-0.0) == name(weight_decay=0.0)
    one, two = ({"method": "mine_method:loss", "hyperparameters": h} for h in ({"b": 1, "a": 2}, {"a": 2.0, "b": 1.0}))
    assert name(**one) == name(**two)


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with modules of one's own, importable."""
    for module in ("mine_network", "mine_method", "mine_data"):
        (tmp_path / f"{module}.py").write_text("raise RuntimeError('a name is made without importing this')\n")
    (tmp_path / "mine_package").mkdir()
    (tmp_path / "mine_package" / "__init__.py").write_text("raise OSError('broken')\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return tmp_path


# field -> (a spec, the same with that field changed), where the change matters
MULTISTEP = {"schedule": "multistep", "milestones": [3]}
MATTERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "dataset": ({}, {"dataset": "mine_data:load"}),
    "teacher": ({}, {"teacher": "resnet18"}),
    "student": ({}, {"student": "conv4"}),
    "method": ({}, {"method": "none"}),
    "hyperparameters": ({"method": "mine_method:loss"}, {"hyperparameters": {"power": 2}}),
    "taps": ({"method": "at"}, {"taps": ["stage1", "stage2:stage3"]}),
    "peer": ({"method": "dml"}, {"peer": "conv4"}),
    "mode": ({}, {"mode": "mse"}),
    "temperature": ({}, {"temperature": 2}),
    "alpha": ({}, {"alpha": 0.5}),
    "convention": ({}, {"convention": "unscaled"}),
    "control": ({}, {"control": "uniform-teacher"}),
    "optimizer": ({}, {"optimizer": "adam"}),
    "lr": ({}, {"lr": 0.2}),
    "momentum": ({}, {"momentum": 0.8}),
    "nesterov": ({}, {"nesterov": True}),
    "rho": ({"optimizer": "adadelta"}, {"rho": 0.95}),
    "weight_decay": ({}, {"weight_decay": 0}),
    "schedule": ({}, {"schedule": "constant"}),
    "milestones": (MULTISTEP, {"milestones": [4]}),
    "step_epochs": ({"schedule": "step"}, {"step_epochs": 10}),
    "plateau_patience": ({"schedule": "plateau"}, {"plateau_patience": 1}),
    "gamma": (MULTISTEP, {"gamma": 0.2}),
    "warmup_epochs": ({}, {"warmup_epochs": 1}),
    "fresh_optimizer": (MULTISTEP, {"fresh_optimizer": True}),
    "epochs": ({}, {"epochs": 31}),
    "batch_size": ({}, {"batch_size": 64}),
    "augment": ({}, {"augment": "flip"}),
    "random_erasing": ({}, {"random_erasing": 0.5}),
    "cutout": ({}, {"cutout": 16}),
    "mixup": ({}, {"mixup": 0.2}),
    "normalization": ({}, {"normalization": "per_image"}),
    "label_smoothing": ({}, {"label_smoothing": 0.1}),
    "dropout": ({}, {"dropout": 0.1}),
    "init": ({}, {"init": "kaiming"}),
    "pretrained": ({}, {"pretrained": True}),
    "zero_gamma": ({}, {"zero_gamma": True}),
    "no_bias_decay": ({}, {"no_bias_decay": True}),
    "linear_scaling": ({}, {"linear_scaling": True}),
    "patience": ({}, {"patience": 3}),
    "monitor": ({"patience": 4}, {"monitor": "loss"}),
    "protocol": ({}, {"protocol": "published"}),
    "precision": ({}, {"precision": "bf16"}),
    "seed": ({}, {"seed": 1}),
}
# (a spec, what can be changed in it without changing the run)
CANNOT_MATTER: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"method": "none"}, {"teacher": "resnet18"}),
    ({"method": "none"}, {"temperature": 2}),
    ({"method": "none"}, {"temperature": [[0, 1], [3, 2]]}),
    ({"method": "none"}, {"alpha": 0.5}),
    ({"method": "none"}, {"mode": "mse"}),
    ({"method": "none"}, {"convention": "additive"}),
    ({"method": "none"}, {"control": "shuffled-teacher"}),
    ({"mode": "logit_mse"}, {"temperature": 2}),
    ({"optimizer": "adam"}, {"momentum": 0.5}),
    ({"optimizer": "adamw"}, {"nesterov": True}),
    ({"optimizer": "adam"}, {"nesterov": True, "momentum": 0}),
    ({"schedule": "cosine"}, {"gamma": 0.5}),
    ({"schedule": "constant"}, {"fresh_optimizer": True}),
    ({"schedule": "constant"}, {"step_epochs": 3}),
    ({"schedule": "constant"}, {"plateau_patience": 3}),
    ({"optimizer": "sgd"}, {"rho": 0.95}),
    ({}, {"monitor": "loss"}),
    ({}, {"taps": ["stage1"]}),
    ({"method": "at"}, {"peer": "conv4"}),
    *(({"method": "at"}, change) for change in ({"temperature": 2}, {"alpha": 0.5}, {"mode": "mse"})),
    ({"method": "at"}, {"convention": "additive"}),
    ({"method": "at"}, {"hyperparameters": {"at.weight": 1000}}),  # which is the default
    ({"method": "dml"}, {"teacher": "resnet18"}),
    ({"method": "dml"}, {"control": "shuffled-teacher"}),
    ({"method": "none"}, {"taps": ["stage1"]}),
    ({"method": "kd+at"}, {"method": "at+kd"}),
    ({"method": "dml", "student": "conv4"}, {"peer": "conv4"}),
    ({"batch_size": 256}, {"linear_scaling": True}),
]


def test_every_field_is_a_column_and_has_a_line_here() -> None:
    assert len(FIELDS) == 44
    assert set(MATTERS) == set(FIELDS) == {f.name for f in fields(RunSpec)}
    schedules = {"temperature_schedule", "alpha_schedule"}
    assert {column.name for column in SPEC_COLUMNS} - schedules == set(FIELDS)


@pytest.mark.parametrize("field", MATTERS)
def test_every_field_enters_the_name(field: str) -> None:
    base, change = MATTERS[field]
    assert list(change) == [field]
    assert name(**{**base, **change}) != name(**base)


@pytest.mark.parametrize(("base", "change"), CANNOT_MATTER)
def test_what_cannot_matter_does_not_enter_the_name(base: dict[str, Any], change: dict[str, Any]) -> None:
    assert name(**{**base, **change}) == name(**base)


def test_no_two_of_all_these_runs_share_a_name() -> None:
    specs = [*PINNED.values(), *({**base, **change} for base, change in MATTERS.values())]
    names = [name(**spec) for spec in specs]
    assert len(set(names)) == len(specs) - 1  # the pinned baseline is the one of MATTERS


def test_temperature_enters_the_name_where_a_method_of_ones_own_may_read_it() -> None:
    common = {"method": "mine_method:loss", "mode": "logit_mse"}
    assert name(**common, temperature=2) != name(**common, temperature=3)


def test_fingerprints_enter_the_name() -> None:
    spec, baseline = RunSpec(), RunSpec(method="none")
    assert spec_id(spec, "other", TEACHER) != spec_id(spec, DATA, TEACHER)
    assert spec_id(spec, DATA, "other") != spec_id(spec, DATA, TEACHER)
    assert spec_id(baseline, DATA, "other") == spec_id(baseline, DATA, TEACHER) == spec_id(baseline, DATA)


@pytest.mark.parametrize(
    "changes",
    [
        {"student": "mine_network:net"},
        {"method": "mine_method:loss"},
        {"teacher": "mine_network:net"},
        {"dataset": "mine_data:load"},
        {"student": "mine_network:net", "method": "none"},
    ],
)
def test_own_source_enters_the_name(own: Path, changes: dict[str, Any]) -> None:
    before = name(**changes)
    assert name(**changes) == before
    for file in own.glob("mine_*.py"):
        file.write_text(file.read_text() + "# changed\n")
    assert name(**changes) != before


def test_own_source_of_a_teacher_that_a_baseline_has_not_does_not_enter(own: Path) -> None:
    changes = {"teacher": "mine_network:net", "method": "none"}
    before = name(**changes)
    (own / "mine_network.py").unlink()
    assert name(**changes) == before


@pytest.mark.parametrize("own_name", ["no_such_module:net", "mine_package.inner:net", "no.such.module:net"])
def test_own_source_that_is_not_there_gets_one_clear_line(own_name: str) -> None:
    with pytest.raises(InputError) as caught:
        name(student=own_name)
    module = own_name.partition(":")[0]
    assert str(caught.value).startswith(f"student: {own_name!r}: no module {module!r}")
    assert "allowed: " in str(caught.value)


def test_flat_values_make_the_same_spec_again() -> None:
    for changes in [*PINNED.values(), *({**base, **change} for base, change in MATTERS.values())]:
        spec = RunSpec(**changes)
        assert RunSpec(**spec.flat()) == spec
        assert tuple(spec.flat()) == FIELDS
