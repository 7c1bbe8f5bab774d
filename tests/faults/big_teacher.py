"""A teacher of 200 MB, made without training: a wide network, its last layer solved for the digits by least squares."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from kd_trainable import teacher
from kd_trainable.data.digits import digits
from kd_trainable.data.inputs import make_inputs
from kd_trainable.teacher import Card

WIDTH = 7_000  # 64 x 7,000 + 7,000 x 7,000 + 7,000 x 10 and biases: 49.5 million parameters
RIDGE = 1e-3  # of the mean square of a feature


def wide(num_classes: int, in_channels: int, width: int = WIDTH) -> nn.Module:
    """[B, C, 8, 8] -> [B, K], by two hidden layers."""
    hidden = [nn.Linear(64 * in_channels, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(width, num_classes))


def narrow(num_classes: int, in_channels: int) -> nn.Module:
    """The same with next to no weights."""
    return wide(num_classes, in_channels, 100)


def keep(name: str, folder: Path) -> int:
    """Writes the teacher ``big_teacher:NAME`` and its card; returns the bytes of its weights."""
    torch.manual_seed(0)
    data = digits()
    module = globals()[name](10, 1).eval()
    inputs = make_inputs(data, "holdout", "dataset", torch.device("cpu"), False)
    (mean,), (std,) = inputs.mean, inputs.std
    with torch.no_grad():
        pixels = (inputs.images.float() / 255 - mean) / std
        features = module[:-1](pixels)
        learnt = inputs.train
        _solve(module[-1], features[learnt], inputs.labels[learnt])
    arrays = teacher.arrays_of(module.state_dict())
    card = Card(
        architecture=f"big_teacher:{name}",
        dataset="digits",
        data_fingerprint=data.fingerprint(),
        classes=10,
        channels=1,
        normalization="dataset",
        mean=inputs.mean,
        std=inputs.std,
        fingerprint=teacher.fingerprint(arrays),
        trained_on="holdout",
        parameters=sum(array.size for array in arrays.values()),
    )
    folder.mkdir(parents=True)
    for file, content in teacher.encode(card, arrays)[1].items():
        (folder / file).write_bytes(content)
    return sum(array.nbytes for array in arrays.values())


def _solve(layer: nn.Linear, features: torch.Tensor, labels: torch.Tensor) -> None:
    """Ridge regression of the classes' indicators on the features, in its dual form: N is less than the width."""
    kernel = (features @ features.T).double()
    kernel += torch.eye(len(kernel)) * RIDGE * kernel.diagonal().mean()
    targets = nn.functional.one_hot(labels, 10).double() - 0.1
    layer.weight.copy_((features.T.double() @ torch.linalg.solve(kernel, targets)).T)
    layer.bias.zero_()
