"""Probabilistic knowledge transfer (Passalis & Tefas 2018, arXiv:1803.10837), with the cosine kernel.

p[i, j] = (1 + cos(f_i, f_j)) / 2, each row divided by its sum: how likely image j is as a neighbour of image i. The
distance is the mean over the B^2 pairs of q log((q + eps) / (p + eps)), q the teacher's, as the authors' code has it
and HobbitLong/RepDistiller 1e2f816 (distiller_zoo/PKT.py) after it. Default weight: 30000, RepDistiller's and
mdistiller's; AberHu's Knowledge-Distillation-Zoo has 10000.

It depends on the batch: the neighbours of an image are those that it is drawn with, and the mean over B^2 of rows that
sum to 1 shrinks as the batch grows. The batch size is part of what the method is.

What differs: the paper sums the divergence where the code takes the mean, and trains by it alone, without labels. The
eps of the norm stands under the root, and a similarity that rounding made negative is 0: its logarithm could be NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kd_trainable.vocabulary import Batch, Outputs

EPS = 1e-7  # the authors'; it would be nothing in float16, whose smallest step is 6e-8
EPS_OF_NORM = 1e-12


def loss(student: Outputs, teacher: Outputs, batch: Batch, *, hyperparameters: Mapping[str, Any]) -> Float[Tensor, ""]:
    """Mean over the B^2 pairs of q log(q / p), in nats, summed over the taps, in float32, not yet weighted."""
    distances = [_distance(features, teacher.features[tap]) for tap, features in student.features.items()]
    return torch.stack(distances).sum()


def _distance(student: Float[Tensor, "B ..."], teacher: Float[Tensor, "B ..."]) -> Float[Tensor, ""]:
    p, q = _neighbours(student), _neighbours(teacher)
    return (q * ((q + EPS) / (p + EPS)).log()).mean()


def _neighbours(features: Float[Tensor, "B ..."]) -> Float[Tensor, "B B"]:
    flat = features.float().flatten(1)
    unit = flat / (flat.square().sum(-1, keepdim=True) + EPS_OF_NORM).sqrt()
    similarity = ((unit @ unit.T + 1) / 2).clamp(min=0)
    return similarity / similarity.sum(-1, keepdim=True)
