"""Generated images with classes that can be learnt, networks and a teacher for them: what tests train in a moment.

The networks are named as anyone names their own: ``tiny:conv``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kd_trainable.data.images import ImageData
from kd_trainable.data.inputs import Inputs, make_inputs
from kd_trainable.engine.guides import LiveTeacher
from kd_trainable.engine.plain import PlainRun
from kd_trainable.models.build import build
from kd_trainable.spec import RunSpec
from kd_trainable.vocabulary import Batch, Outputs

CLASSES = 4
TIMES = {"epoch_seconds", "images_per_second"}
OPTIMIZERS: list[dict[str, Any]] = [
    {"optimizer": "sgd", "nesterov": True},
    {"optimizer": "sgd", "momentum": 0.0},
    {"optimizer": "adam", "lr": 0.003},
    {"optimizer": "adamw", "lr": 0.003},
]
GREY, COLOUR = (1, 8, 8), (3, 32, 32)


def data(shape: tuple[int, int, int] = GREY, train: int = 200, test: int = 40) -> ImageData:
    """Each class is a pattern of its own under noise."""
    generator = np.random.default_rng(5)
    patterns = generator.integers(60, 196, (CLASSES, *shape))

    def split(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = generator.integers(0, CLASSES, count)
        noise = generator.normal(0, 40, (count, *shape))
        return np.clip(patterns[labels] + noise, 0, 255).astype(np.uint8), labels

    (train_images, train_labels), (test_images, test_labels) = split(train), split(test)
    statistics = ((0.5,) * shape[0], (0.25,) * shape[0])
    return ImageData(
        name="tiny",
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        classes=tuple("abcd"),
        normalizations={"dataset": statistics},
        provenance={"source": "generated"},
    )


def inputs(
    shape: tuple[int, int, int] = GREY, *, protocol: str = "holdout", channels_last: bool = False, train: int = 200
) -> Inputs:
    """180 training images (of 200) on the CPU."""
    return make_inputs(data(shape, train), protocol, "dataset", "cpu", channels_last)


def spec(**changes: Any) -> RunSpec:
    """A distillation run on these images. The data set's name is another's: the engine is given its inputs."""
    fields: dict[str, Any] = {
        "dataset": "digits",
        "teacher": "digits_cnn",
        "student": "tiny:mlp",
        "epochs": 3,
        "batch_size": 32,
        "lr": 0.05,
        "augment": "none",
    }
    return RunSpec(**{**fields, **changes})


def targets(of: Inputs, seed: int = 0) -> Callable[[int], Tensor]:
    """A teacher that is mostly right, and says something else of every image in every epoch."""

    def at(epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(1000 * seed + epoch)
        right = nn.functional.one_hot(of.train_labels, CLASSES)
        return 4 * right + torch.randn(len(right), CLASSES, generator=generator)

    return at


def mlp(num_classes: int, in_channels: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64 * in_channels, 12), nn.ReLU(), nn.Linear(12, num_classes))


def dropout_mlp(num_classes: int, in_channels: int) -> nn.Module:
    hidden = (nn.Linear(64 * in_channels, 12), nn.ReLU(), nn.Dropout(0.3))
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(12, num_classes))


def conv(num_classes: int, in_channels: int) -> nn.Sequential:
    """A 3 x 3, a strided and a 1 x 1 convolution, batch norm, dropout."""
    return nn.Sequential(
        nn.Conv2d(in_channels, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 8, 3, stride=2, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Dropout2d(0.2),
        nn.Conv2d(8, 8, 1),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32, num_classes),
    )


def conv_without_dropout(num_classes: int, in_channels: int) -> nn.Module:
    network = conv(num_classes, in_channels)
    network[6] = nn.Identity()
    return network


class Tied(nn.Module):
    """One weight under two names, and a buffer that is a part of another one."""

    whole: Tensor

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.head = nn.Linear(64 * in_channels, num_classes)
        self.again = self.head
        self.register_buffer("whole", torch.arange(4.0))
        self.register_buffer("part", self.whole[:2])

    def forward(self, images: Tensor) -> Tensor:
        return self.again(images.flatten(1))  # type: ignore[no-any-return]


class Hidden(nn.Module):
    """Keeps tensors outside its state_dict: a non-persistent buffer and a plain attribute."""

    scale: Tensor

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.head = nn.Linear(64 * in_channels, num_classes)
        self.register_buffer("scale", torch.full((num_classes,), 3.0), persistent=False)
        self.shift = torch.ones(num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(images.flatten(1)) * self.scale + self.shift  # type: ignore[no-any-return]


def reads_values(num_classes: int, in_channels: int) -> nn.Module:
    """A builder that reads a tensor's values, which the meta device has not, as timm's do."""
    rates = [rate.item() for rate in torch.linspace(0, 0.5, 2)]
    return nn.Sequential(nn.Flatten(), nn.Dropout(rates[1]), nn.Linear(64 * in_channels, num_classes))


def own_loss(student: Outputs, teacher: Outputs, batch: Batch, *, hyperparameters: Mapping[str, Any]) -> Tensor:
    """A method of one's own, with a hyperparameter of its own."""
    return hyperparameters["power"] * (student.logits - teacher.logits).square().mean()


def run_of(spec: RunSpec, *, channels_last: bool = False, protocol: str = "holdout") -> PlainRun:
    given = inputs(channels_last=channels_last, protocol=protocol)
    if spec.live:
        return PlainRun(spec, given, teacher=LiveTeacher(network(spec.teacher), given))
    return PlainRun(spec, given, targets(given) if spec.taught else None)


def network(name: str, shape: tuple[int, int, int] = GREY) -> nn.Module:
    """A teacher of fixed random weights, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return build(name, CLASSES, shape[0]).requires_grad_(False).eval()


def trained(spec: RunSpec, epochs: int | None = None, **how: Any) -> PlainRun:
    run = run_of(spec, **how)
    for _ in range(epochs or spec.epochs):
        run.step_epoch()
    return run


def rows(run: PlainRun) -> list[dict[str, str]]:
    """The history less its times; as text, in which NaN equals itself and nothing is rounded."""
    return [{k: repr(v) for k, v in row.items() if k not in TIMES} for row in run.history]


def assert_same(one: PlainRun, other: PlainRun) -> None:
    """Bit for bit: weights, buffers, optimizer state, history."""
    ours, theirs = one.tensors(), other.tensors()
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    assert rows(one) == rows(other)


def unfused(spec: RunSpec, parameters: Any) -> torch.optim.Optimizer:
    """The textbook's optimizer, one tensor after the other."""
    common: dict[str, Any] = {"lr": spec.lr, "weight_decay": spec.weight_decay, "foreach": False, "fused": False}
    if spec.optimizer == "sgd":
        return torch.optim.SGD(parameters, momentum=spec.momentum, nesterov=spec.nesterov, **common)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[spec.optimizer](parameters, **common)


def wide_conv(num_classes: int, in_channels: int) -> nn.Module:
    """``conv`` with a larger last layer."""
    return nn.Sequential(*list(conv(num_classes, in_channels))[:-1], nn.Linear(128, num_classes))


def deep_conv(num_classes: int, in_channels: int) -> nn.Module:
    """``conv`` with a layer more."""
    return nn.Sequential(*conv(num_classes, in_channels), nn.Linear(num_classes, num_classes))


def shallow_conv(num_classes: int, in_channels: int) -> nn.Module:
    """``conv`` without its last layer."""
    return nn.Sequential(*list(conv(num_classes, in_channels))[:-1])
