"""Attention transfer (Zagoruyko & Komodakis 2017, arXiv:1612.03928), as its authors' code has it.

A map's attention is the mean over channels of |f|^p, flattened and divided by its L2 norm; the distance is the mean
over batch and pixels of the squared difference, summed over the stages (szagoruyko/attention-transfer 084890a,
cifar.py; HobbitLong/RepDistiller 1e2f816, distiller_zoo/AT.py). Default weight: 1000, of both, and p = 2.

What differs from the paper: its equation 2 has the norm itself, not squared, and is method ``at_paper``. From the
code: where sizes differ, RepDistiller's rule, the larger map is averaged down to the smaller, side by side; and |f|
before the power, as the paper writes, so that an odd p means something.
AberHu's Knowledge-Distillation-Zoo takes the mean over three stages: its 1000 is 333 here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from kd_trainable.vocabulary import Batch, InputError, Outputs

SMALLEST = 1e-30  # for |f|: its power's slope at 0 is infinite where p < 1
EPS = 1e-24  # under the root of the norm; F.normalize's 1e-12, squared

Scalar = float | int | Float[Tensor, ""]


def loss(student: Outputs, teacher: Outputs, batch: Batch, *, hyperparameters: Mapping[str, Any]) -> Float[Tensor, ""]:
    """Sum over stages of the mean squared difference of attention, in float32, not yet weighted.

    ``hyperparameters``: ``p``, the power. The gradient goes to the student alone. Raises InputError for features that
    are no maps.
    """
    p = hyperparameters["p"]
    distances = [(attention(s, p) - attention(t, p)).square().mean() for s, t in maps(student, teacher)]
    return torch.stack(distances).sum()


def maps(student: Outputs, teacher: Outputs) -> Iterator[tuple[Tensor, Tensor]]:
    """The pairs of maps in float32, both at the smaller one's size. Raises InputError for features that are no maps."""
    for tap, ours in student.features.items():
        theirs = teacher.features[tap].detach()
        for features in (ours, theirs):
            if features.ndim != 4:
                shape = list(features.shape[1:])
                raise InputError(f"taps: {tap} gives features of shape {shape}; attention needs maps [C, H, W]")
        size = min(ours.shape[2], theirs.shape[2]), min(ours.shape[3], theirs.shape[3])
        yield _shrunk(ours.float(), size), _shrunk(theirs.float(), size)


def attention(features: Float[Tensor, "B C H W"], p: Scalar) -> Float[Tensor, "B HW"]:
    """Mean over channels of |f|^p by pixel, as a vector of length 1 for each image."""
    energy = features.abs().clamp(min=SMALLEST).pow(p).mean(1).flatten(1)
    return energy / (energy.square().sum(-1, keepdim=True) + EPS).sqrt()


def _shrunk(features: Float[Tensor, "B C H1 W1"], size: tuple[int, int]) -> Float[Tensor, "B C H2 W2"]:
    return features if tuple(features.shape[2:]) == size else F.adaptive_avg_pool2d(features, size)
