"""How long one image takes through a student: every pass timed alone, at little cost, and never at a run's peril."""

from __future__ import annotations

import math
import time

import pytest
import tiny
import torch
from torch import Tensor, nn

from kd_trainable.engine import evaluate
from kd_trainable.engine.evaluate import LEAST_PASSES, MOST_PASSES, WARM_UP, latency


class Slow(nn.Module):
    """Takes ``seconds`` a pass, the first passes ten times as long; remembers what it was shown."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.shown = seconds, list[tuple[tuple[int, ...], bool, bool]]()

    def forward(self, images: Tensor) -> Tensor:
        bf16 = torch.is_autocast_enabled("cpu")
        self.shown.append((tuple(images.shape), self.training, bf16))
        if self.seconds:
            time.sleep(self.seconds * (10 if len(self.shown) <= WARM_UP else 1))
        return images.flatten(1)[:, : tiny.CLASSES]


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_one_image_in_eval_mode_in_the_precision_of_the_run(precision: str) -> None:
    model = Slow(0.001)
    latency(model, tiny.inputs(), precision)
    assert set(model.shown) == {((1, 1, 8, 8), False, precision == "bf16")}


def test_the_first_passes_do_not_count() -> None:
    assert 0.02 <= latency(Slow(0.02), tiny.inputs()) < 0.2


def test_a_slow_network_is_asked_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "LATENCY_S", 0.01)
    model = Slow(0.005)
    latency(model, tiny.inputs())
    assert len(model.shown) == WARM_UP + LEAST_PASSES


def test_a_quick_network_is_asked_often_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "LATENCY_S", math.inf)
    model = Slow(0)
    assert 0 < latency(model, tiny.inputs()) < 0.1
    assert len(model.shown) == WARM_UP + MOST_PASSES


def test_the_median_is_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass that another process held up does not."""
    passes = iter([9, 9, 9, 0.5, 0.1, 0.2, 0.3, 7.0])
    monkeypatch.setattr(evaluate, "LATENCY_S", 0.0)
    monkeypatch.setattr(evaluate, "_seconds_of_a_pass", lambda *asked: next(passes))
    assert latency(Slow(0), tiny.inputs()) == 0.3


def test_a_network_that_cannot_take_an_image_alone_has_none() -> None:
    def refuse(images: Tensor) -> Tensor:
        raise RuntimeError(f"cannot take {len(images)}")

    model = Slow(0)
    model.forward = refuse  # type: ignore[method-assign]
    assert math.isnan(latency(model, tiny.inputs()))


def test_it_changes_nothing_of_the_student() -> None:
    run = tiny.trained(tiny.spec(student="tiny:conv"), 1)
    before = {name: value.clone() for name, value in run.tensors().items()}
    latency(run.student, run.inputs)
    assert [name for name, value in run.tensors().items() if not torch.equal(value, before[name])] == []
