"""What a run looks at to lower its rate on a plateau, or to end early: a function of its history alone."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
import tiny
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from kd_trainable.engine.optim import learning_rate, monitored, out_of_patience

Rows = list[dict[str, float]]


def rows(column: str, values: list[float]) -> Rows:
    return [{column: value} for value in values]


def plateau(history: Rows, **changes: Any) -> list[float]:
    """The rate, in shares of lr, of every epoch, and of the one after the last row."""
    spec = tiny.spec(schedule="plateau", lr=1.0, epochs=max(len(history) + 1, 2), **changes)
    return [learning_rate(spec, epoch, 0, 5, history[:epoch]) for epoch in range(len(history) + 1)]


# What is looked at.


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({}, 0.7),
        ({"monitor": "loss"}, -1.5),
        ({"protocol": "published"}, 0.6),
        ({"protocol": "published", "monitor": "loss"}, -2.5),
    ],
)
def test_larger_is_better_and_the_protocol_says_which_images(changes: dict[str, Any], seen: float) -> None:
    row = {"validation_accuracy": 0.7, "validation_loss": 1.5, "test_accuracy": 0.6, "test_loss": 2.5}
    assert monitored(tiny.spec(**changes), row) == seen


@pytest.mark.parametrize("monitor", ["accuracy", "loss"])
def test_nan_is_worse_than_anything(monitor: str) -> None:
    spec, column = tiny.spec(monitor=monitor, patience=2), f"validation_{monitor}"
    assert monitored(spec, {column: math.nan}) < monitored(spec, {column: 1e300 if monitor == "loss" else -1e300})
    assert out_of_patience(spec, rows(column, [0.5, math.nan, math.nan]))


# Early stopping.


@pytest.mark.parametrize(
    ("seen", "patience", "ends"),
    [
        ([0.5, 0.4, 0.4], 2, True),
        ([0.5, 0.4, 0.5], 2, True),  # as good is not better
        ([0.5, 0.4, 0.51], 2, False),
        ([0.5, 0.4, 0.50001], 2, False),  # however little
        ([0.5, 0.4], 2, False),
        ([0.5, 0.4, 0.6, 0.5], 2, False),
        ([0.5, 0.4, 0.6, 0.5, 0.6], 2, True),
        ([0.5, 0.4, 0.3, 0.2], 0, False),
        ([], 1, False),
    ],
)
def test_patience_ends_after_so_many_epochs_without_a_better_one(seen: list[float], patience: int, ends: bool) -> None:
    """The same with losses, which are to fall, and with the test images under protocol published."""
    for monitor, sign in (("accuracy", 1), ("loss", -1)):
        for protocol, part in (("holdout", "validation"), ("published", "test")):
            spec = tiny.spec(patience=patience, monitor=monitor, protocol=protocol)
            assert out_of_patience(spec, rows(f"{part}_{monitor}", [sign * value for value in seen])) is ends


# The plateau.


@pytest.mark.parametrize("protocol", ["holdout", "published"])
@pytest.mark.parametrize("monitor", ["accuracy", "loss"])
@pytest.mark.parametrize("patience", [1, 2, 4])
def test_plateau_is_torchs_with_one_epoch_less_of_patience(patience: int, monitor: str, protocol: str) -> None:
    """On random histories with many ties and gains around the threshold, which is absolute, as Keras's is."""
    column = f"{'test' if protocol == 'published' else 'validation'}_{monitor}"
    lowered = 0
    for seed in range(20):
        draw = random.Random(seed)
        history = rows(column, [0.5 + 5e-5 * draw.randint(-4, 4) for _ in range(30)])
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
        mode: Any = "max" if monitor == "accuracy" else "min"
        torchs = ReduceLROnPlateau(optimizer, mode, 0.5, patience - 1, 1e-4, threshold_mode="abs", eps=0.0)
        wanted = [1.0]
        for row in history:
            torchs.step(row[column])
            wanted.append(optimizer.param_groups[0]["lr"])
        assert plateau(history, plateau_patience=patience, gamma=0.5, monitor=monitor, protocol=protocol) == wanted
        lowered += wanted[-1] < 1
    assert lowered == 20  # each history was a test


def test_plateau_by_hand() -> None:
    """Patience 2: lowered for the epoch after two that were not better; then the count starts anew."""
    seen = [0.1, 0.3, 0.3, 0.2, 0.25, 0.3, 0.4, 0.4]
    assert plateau(rows("validation_accuracy", seen), plateau_patience=2, gamma=0.5) == [
        1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25,
    ]  # fmt: skip


def test_plateau_wants_more_than_a_ten_thousandth_and_early_stopping_does_not() -> None:
    history = rows("validation_loss", [1.0, 0.99995, 0.9999, 0.99985])
    assert plateau(history, plateau_patience=2, gamma=0.1, monitor="loss") == pytest.approx([1, 1, 1, 0.1, 0.1])
    assert not out_of_patience(tiny.spec(patience=1, monitor="loss"), history)


def test_plateau_counts_from_the_end_of_warm_up() -> None:
    """A rate that still rises cannot be too high: what warm-up brought is neither counted nor compared with."""
    seen = [0.9, 0.5, 0.4, 0.6, 0.6]
    rates = plateau(rows("validation_accuracy", seen), plateau_patience=1, gamma=0.5, warmup_epochs=3)
    assert rates[3:] == [1, 1, 0.5]


def test_plateau_can_be_asked_for_any_epoch_at_any_time() -> None:
    """Nothing is kept between two questions, so that there is nothing to checkpoint."""
    spec, draw = tiny.spec(schedule="plateau", plateau_patience=1, epochs=9), random.Random(3)
    history = rows("validation_accuracy", [draw.random() for _ in range(9)])
    rates = [learning_rate(spec, epoch, 0, 4, history[:epoch]) for epoch in range(9)]
    assert [learning_rate(spec, epoch, 3, 4, history[:epoch]) for epoch in reversed(range(9))] == rates[::-1]
    assert len(set(rates)) > 2


def test_plateau_without_its_history_is_an_error_and_not_a_constant_rate() -> None:
    spec = tiny.spec(schedule="plateau")
    with pytest.raises(ValueError, match="plateau in epoch 2 needs a row of each epoch before it; 0 given"):
        learning_rate(spec, 2, 0, 5)
