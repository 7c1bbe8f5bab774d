"""Negative controls, on real digits: what a student gains, it gains from what the true teacher knows of its images."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from kd_trainable import logits
from kd_trainable.data.inputs import Inputs, make_inputs
from kd_trainable.data.load import load
from kd_trainable.engine.plain import PlainRun
from kd_trainable.logits import Shard
from kd_trainable.methods.controls import controlled
from kd_trainable.spec import RunSpec

COMMON = {"dataset": "digits", "lr": 0.1, "augment": "none", "nesterov": True, "batch_size": 64}


@cache
def digits() -> Inputs:
    return make_inputs(load("digits"), "holdout", "dataset", "cpu", False)


@cache
def kept() -> torch.Tensor:
    """The logits of a teacher that was trained for two epochs: about 0.95 on the test's other writers."""
    run = PlainRun(RunSpec(method="none", student="digits_cnn", epochs=2, **COMMON), digits())
    while not run.done:
        row = run.step_epoch()
    assert row["validation_accuracy"] > 0.9
    module = run.student.eval()
    return torch.from_numpy(logits.compute(module, digits(), "none", Shard(view=0)))


def accuracy(control: str, seed: int, alpha: float = 0.9, temperature: float = 1.0) -> float:
    """Of a student after some epochs under a teacher, or under a control in its place."""
    spec = RunSpec(
        teacher="digits_cnn",
        student="digits_mlp",
        epochs=6,
        alpha=alpha,
        temperature=temperature,
        control=control,
        seed=seed,
        **COMMON,
    )
    run = PlainRun(spec, digits(), lambda epoch: controlled(kept(), spec.control, spec.seed))
    while not run.done:
        row = run.step_epoch()
    return float(row["validation_accuracy"])


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4, 5])
def test_a_shuffled_teacher_does_harm(seed: int) -> None:
    print(seed, accuracy("none", seed), accuracy("shuffled-teacher", seed), accuracy("uniform-teacher", seed))
