"""The driver's own teacher: trained, measured as it will teach, and refused where its numbers or its card are wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kd_trainable.data.digits import digits
from kd_trainable.models.digits import digits_mlp
from kd_trainable.spec import RunSpec
from kd_trainable.teacher import Teacher
from kd_trainable.tuning import checks, teach, teachers
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError

DATA = digits()
HELD_OUT = 143


class Sensitive(nn.Module):
    """Knows in float32 what it mistakes in bf16, where it names the next class."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.network = digits_mlp(num_classes, in_channels)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        mistaken = torch.is_autocast_enabled("cpu") and not self.training
        return logits.roll(1, -1) if mistaken else logits


def trained(folder: Path, **changes: Any) -> Teacher:
    given = {"dataset": "digits", "student": "digits_mlp", "method": "none", "augment": "none", "lr": 0.05, "epochs": 1}
    storage = Storage(str(folder))
    card = teachers.train(RunSpec(**{**given, **changes}), DATA, DATA.fingerprint(), storage, "cpu", lambda *step: None)
    return teachers.load_kept(storage, card)


def test_a_card_holds_the_accuracy_in_float32_whatever_the_teacher_trained_in(tmp_path: Path) -> None:
    found = trained(tmp_path, student="test_teachers:Sensitive", precision="bf16")
    card, _ = teachers.verify(found, DATA, "cpu")
    assert card == found.card
    assert card.validation_accuracy is not None
    assert card.validation_accuracy > 0.5


def test_a_card_without_held_out_images_holds_the_test_accuracy(tmp_path: Path) -> None:
    found = trained(tmp_path, protocol="published")
    assert found.card.validation_accuracy is None
    assert teachers.verify(found, DATA, "cpu")[0] == found.card


def test_a_card_may_be_wrong_by_three_of_few_images(tmp_path: Path) -> None:
    found = trained(tmp_path)
    right = found.card.validation_accuracy
    assert right is not None
    for images in (-2, 2):
        near = replace(found.card, validation_accuracy=right + images / HELD_OUT)
        assert teachers.verify(replace(found, card=near), DATA, "cpu")[0] == found.card
    far = replace(found.card, validation_accuracy=right - 4 / HELD_OUT)
    with pytest.raises(InputError, match="but its card says"):
        teachers.verify(replace(found, card=far), DATA, "cpu")


def test_a_teacher_that_diverges_gets_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        trained(tmp_path, lr=1e30)
    assert str(caught.value) == "teacher: digits_mlp with lr 1e+30: the loss became nan in epoch 1"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_driver_gives_the_gpus_memory_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    freed: list[str] = []
    found = trained(tmp_path)
    for module in (teach, checks):
        monkeypatch.setattr(module, "free_cache", freed.append)
    standing: Any = SimpleNamespace(card=found.card, teacher=found)
    teach.verified_teacher(standing, None, DATA, "cpu", lambda line: None)
    assert freed == ["cpu"]
    checks.check_kept(Storage(str(tmp_path)), [], found, DATA, "holdout", "cpu", lambda line: None)
    assert freed == ["cpu", "cpu"]
