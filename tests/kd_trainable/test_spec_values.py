"""The spec itself: its values, its defaults, its schedules, and that a plan needs no torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest

from kd_trainable.spec import DEFAULTS, RunSpec, value_at
from kd_trainable.values import LISTS


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        RunSpec().alpha = 0.5  # type: ignore[misc]


def test_a_baseline_has_the_defaults_of_what_it_has_not() -> None:
    spec = RunSpec(method="none", teacher="resnet18", temperature=9, alpha=0.1, mode="mse", control="uniform-teacher")
    assert spec == RunSpec(method="none")
    assert spec.weights(0) == (1.0, 0.0)
    assert not spec.distilled


def test_a_schedule_holds_from_its_epoch_on() -> None:
    spec = RunSpec(temperature=[[0, 1], [5, 4]], alpha=((0, 0.5), (2, 1.0)), convention="hinton")
    assert spec.flat()["temperature"] == [[0, 1.0], [5, 4.0]]
    assert [value_at(spec.temperature, epoch) for epoch in (0, 4, 5, 99)] == [1, 1, 4, 4]
    assert [spec.weights(epoch) for epoch in (0, 2, 5)] == [(0.5, 0.5), (0.0, 1.0), (0.0, 16.0)]


def test_defaults_are_what_an_empty_spec_has() -> None:
    assert {k: tuple(v) if k in LISTS else v for k, v in RunSpec().flat().items()} == DEFAULTS


@pytest.mark.parametrize(
    "module", ["spec", "rules", "records", "resolve", "vocabulary", "data", "methods", "models", "frames"]
)
def test_a_plan_needs_no_torch(module: str) -> None:
    """Neither torch nor ray is imported: a wrong word is refused at once, and a table is read anywhere."""
    imported = "analysis.frames" if module == "frames" else f"kd_trainable.{module}"
    check = f"import sys, {imported}; print(sorted({{'torch', 'ray', 'jaxtyping'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
