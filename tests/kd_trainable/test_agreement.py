"""How often a student says what its teacher says of the test images: measured beside its accuracy, changing nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor, nn

from kd_trainable import logits
from kd_trainable.engine import checkpoint
from kd_trainable.engine.evaluate import evaluate
from kd_trainable.shards import TEST, Shard
from kd_trainable.vocabulary import Pixels


class Says(nn.Module):
    """Gives every image the next of these classes, and counts how often it is asked."""

    def __init__(self, classes: list[int]) -> None:
        super().__init__()
        self.classes, self.at, self.forwards = classes, 0, 0

    def forward(self, images: Tensor) -> Tensor:
        self.forwards += 1
        here = torch.tensor(self.classes[self.at : self.at + len(images)])
        self.at += len(images)
        return nn.functional.one_hot(here, tiny.CLASSES).float()


def eight() -> Any:
    """Inputs whose test images are eight, of classes 0 0 1 1 2 2 3 3."""
    given = tiny.inputs()
    return replace(given, test_images=given.test_images[:8], test_labels=torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]))


def test_the_share_of_images_that_both_give_one_class_right_or_wrong() -> None:
    student = Says([0, 1, 1, 1, 2, 3, 0, 0])
    score = evaluate(student, eight(), "test", teacher_classes=torch.tensor([0, 1, 1, 2, 2, 0, 0, 3]))
    assert (score.accuracy, score.agreement) == (4 / 8, 5 / 8)
    assert student.forwards == 1  # the very forward that measures the accuracy


def test_no_teacher_no_agreement() -> None:
    assert math.isnan(evaluate(Says([0] * 8), eight(), "test").agreement)
    assert "teacher_agreement" not in tiny.trained(tiny.spec(), 1).history[0]


@pytest.mark.parametrize("changes", [{}, {"method": "none"}, {"precision": "bf16"}, {"student": "tiny:dropout_mlp"}])
def test_a_run_that_is_compared_with_its_teacher_trains_as_one_that_is_not(changes: dict[str, Any]) -> None:
    alone, beside = tiny.trained(tiny.spec(**changes)), tiny.run_of(tiny.spec(**changes))
    beside.teacher_classes = beside.inputs.test_labels
    for _ in range(beside.spec.epochs):
        beside.step_epoch()
    said = [row.pop("teacher_agreement") for row in beside.history]
    assert said == [row["test_accuracy"] for row in beside.history]  # of a teacher that is always right
    tiny.assert_same(alone, beside)


def test_resumed_equals_uninterrupted() -> None:
    whole, first, second = (tiny.run_of(tiny.spec()) for _ in range(3))
    for run in (whole, first, second):
        run.teacher_classes = torch.arange(40) % tiny.CLASSES
    for _ in range(3):
        whole.step_epoch()
    first.step_epoch()
    tensors, history, _ = checkpoint.decode(checkpoint.encode(first, {}))
    second.load(tensors, history)
    for _ in range(2):
        second.step_epoch()
    tiny.assert_same(second, whole)
    assert all("teacher_agreement" in row for row in second.history)


class TestTeachersLogitsOfTheTestImages:
    @pytest.mark.parametrize("pixels", [Pixels("none"), Pixels("crop4+flip", mixup=0.4)])
    def test_they_are_those_of_the_images_as_they_are(self, pixels: Pixels) -> None:
        given, network = tiny.inputs(), tiny.network("tiny:conv")
        kept = logits.compute(network, given, pixels, TEST)
        with torch.no_grad():
            live = network(given.as_input(given.test_images)).half().numpy()
        assert kept.dtype == np.float16
        assert np.array_equal(kept, live)

    def test_their_file_is_none_of_the_training_splits(self) -> None:
        assert TEST.file == "test.npy"
        assert Shard.of_file(TEST.file) is None
        assert TEST not in {Shard(), Shard(0, 0), Shard(view=0)}
