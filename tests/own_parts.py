"""A person's own data set, networks and method, by ``own_parts:NAME``, some of which come to grief on purpose.

Ray's workers find this module, since this folder is on the path of whoever starts the cluster.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kd_trainable.data.digits import digits
from kd_trainable.data.images import ImageData
from kd_trainable.models.digits import digits_mlp
from kd_trainable.vocabulary import Batch, Outputs

MARKERS = "KD_TEST_MARKERS"  # the folder where an accident that has happened is remembered
SLEEP = "KD_TEST_SLEEP"  # seconds that a training step of ``slow`` takes longer


def few_digits() -> ImageData:
    """300 of the digits, in two normalisations."""
    whole = digits()
    return replace(
        whole,
        name="few digits",
        train_images=whole.train_images[:300],
        train_labels=whole.train_labels[:300],
        normalizations={"dataset": ((0.3,), (0.4,)), "other": ((0.0,), (1.0,))},
    )


def linear(num_classes: int, in_channels: int) -> nn.Module:
    """The smallest network there is."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64 * in_channels, num_classes))


class Watched(nn.Module):
    """digits_mlp that does something at each of its training steps."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.network, self.steps = digits_mlp(num_classes, in_channels), 0

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            self.steps += 1
            self.at_step()
        return self.network(images)  # type: ignore[no-any-return]

    def at_step(self) -> None:
        """Nothing, here."""


class slow(Watched):
    """Trains as slowly as the environment says, and computes the same."""

    def at_step(self) -> None:
        time.sleep(float(os.environ.get(SLEEP, "0")))


class breaks(Watched):
    """Raises in its second epoch."""

    def at_step(self) -> None:
        if self.steps > 25:
            raise RuntimeError("this student\nbreaks")


class kills_once(Watched):
    """Kills its own process in its third epoch, if that has not happened before."""

    def at_step(self) -> None:
        marker = Path(os.environ[MARKERS]) / "killed-once"
        if self.steps > 50 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)


class always_kills(Watched):
    """Kills its own process in its first epoch, every time."""

    def at_step(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def wrong_shape(num_classes: int, in_channels: int) -> nn.Module:
    """One class too many."""
    return linear(num_classes + 1, in_channels)


def logit_distance(student: Outputs, teacher: Outputs, batch: Batch, *, hyperparameters: Mapping[str, Any]) -> Tensor:
    """A method of one's own, with a hyperparameter of its own."""
    distance = (student.logits - teacher.logits).square().mean()
    return hyperparameters.get("power", 1.0) * distance / torch.tensor(10.0)


def needs_power(student: Outputs, teacher: Outputs, batch: Batch, *, hyperparameters: Mapping[str, Any]) -> Tensor:
    """A method that fails unless it is told its power."""
    return hyperparameters["power"] * (student.logits - teacher.logits).square().mean()


def _generated(name: str, shape: tuple[int, int, int], train: int, test: int) -> ImageData:
    """Five classes, each a pattern of its own under noise."""
    generator = np.random.default_rng(11)
    patterns = generator.integers(60, 196, (5, *shape))

    def split(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count) % 5
        noise = generator.normal(0, 40, (count, *shape))
        return np.clip(patterns[labels] + noise, 0, 255).astype(np.uint8), labels

    (train_images, train_labels), (test_images, test_labels) = split(train), split(test)
    statistics = ((0.5,) * shape[0], (0.25,) * shape[0])
    return ImageData(
        name,
        train_images,
        train_labels,
        test_images,
        test_labels,
        tuple("abcde"),
        {"dataset": statistics, "per_image": statistics, "unit": statistics},
        {"source": "generated"},
    )


def few_colours() -> ImageData:
    """60 generated colour images of 32 x 32, in the place of CIFAR."""
    return _generated("few colours", (3, 32, 32), 60, 20)


def few_letters() -> ImageData:
    """60 generated grey images of 28 x 28, in the place of EMNIST."""
    return _generated("few letters", (1, 28, 28), 60, 20)
