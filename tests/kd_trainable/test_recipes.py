"""Every optimizer trains under every schedule, and goes on from a checkpoint as if it had never stopped."""

from __future__ import annotations

from typing import Any

import pytest
import tiny
import torch

from kd_trainable import rules
from kd_trainable.engine import checkpoint
from kd_trainable.engine.optim import learning_rate
from kd_trainable.engine.plain import PlainRun

OPTIMIZERS: list[dict[str, Any]] = [*tiny.OPTIMIZERS, {"optimizer": "adadelta", "lr": 1.0}]
SCHEDULES: list[dict[str, Any]] = [
    {"schedule": "constant"},
    {"schedule": "multistep", "milestones": [1], "fresh_optimizer": True},
    {"schedule": "step", "step_epochs": 2, "fresh_optimizer": True},
    {"schedule": "cosine", "warmup_epochs": 1},
    {"schedule": "one_cycle"},
    {"schedule": "plateau", "plateau_patience": 1, "monitor": "loss"},
]


def test_every_name_of_a_recipe_is_tried() -> None:
    assert {given["optimizer"] for given in OPTIMIZERS} == set(rules.OPTIMIZERS)
    assert {given["schedule"] for given in SCHEDULES} == set(rules.SCHEDULES)


def resumed(run: PlainRun, **how: Any) -> PlainRun:
    """A new run that goes on from the checkpoint of this one, to the end."""
    again = tiny.run_of(run.spec, **how)
    again.load(*checkpoint.decode(checkpoint.encode(run, {}))[:2])
    while not again.done:
        again.step_epoch()
    return again


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_recipe_trains_and_resumed_equals_uninterrupted(
    optimizer: dict[str, Any], schedule: dict[str, Any]
) -> None:
    spec = tiny.spec(student="tiny:conv", **optimizer, **schedule)
    whole = tiny.trained(spec)
    tiny.assert_same(resumed(tiny.trained(spec, 2)), whole)
    assert whole.history[-1]["hard_loss"] < whole.history[0]["hard_loss"]
    rates = [learning_rate(spec, epoch, 5, 6, whole.history[:epoch]) for epoch in range(3)]  # 180 images: 6 steps of 32
    assert [row["lr"] for row in whole.history] == rates


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_without_bias_decay_too(optimizer: dict[str, Any]) -> None:
    spec = tiny.spec(student="tiny:conv", no_bias_decay=True, weight_decay=0.1, **optimizer)
    whole = tiny.trained(spec, channels_last=True)
    tiny.assert_same(resumed(tiny.trained(spec, 2, channels_last=True), channels_last=True), whole)
    usual = tiny.trained(tiny.spec(student="tiny:conv", weight_decay=0.1, **optimizer), channels_last=True)
    assert not torch.equal(whole.student[0].bias, usual.student[0].bias)


def test_linear_scaling_is_the_rate_that_it_says() -> None:
    scaled = tiny.trained(tiny.spec(lr=0.4, batch_size=32, linear_scaling=True))
    tiny.assert_same(scaled, tiny.trained(tiny.spec(lr=0.05, batch_size=32)))


@pytest.mark.parametrize("protocol", ["holdout", "published"])
def test_a_run_that_learns_nothing_slows_down_and_ends(protocol: str) -> None:
    """The first epoch stays the best: the third is the first at a tenth of the rate, the fourth the last."""
    recipe = {"optimizer": "adadelta", "schedule": "plateau", "plateau_patience": 1, "patience": 3, "monitor": "loss"}
    spec = tiny.spec(**recipe, protocol=protocol, lr=1e-12, epochs=9)
    run = resumed(tiny.trained(spec, 2, protocol=protocol), protocol=protocol)
    assert [row["lr"] for row in run.history] == pytest.approx([1e-12, 1e-12, 1e-13, 1e-14], rel=1e-9, abs=0)
