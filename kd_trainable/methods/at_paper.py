"""Attention transfer (Zagoruyko & Komodakis 2017, arXiv:1612.03928), as equation 2 of the paper reads.

beta / 2 x sum over stages of || Q_s / ||Q_s|| - Q_t / ||Q_t|| ||_2, the norm itself where the authors' code squares it
(szagoruyko/attention-transfer issues 34 and 32); Q is the attention of method ``at``.

Default weight: 1000. The paper's beta is "10^3 divided by number of elements in attention map and batch size for each
layer" (as issue 32 quotes it), so it differs from stage to stage. That division, and the half, are taken here:
``weight`` is the 10^3.

What differs elsewhere: ``mode='paper'`` of torchdistill 01038e7 (ATLoss) divides by the batch size alone, and does not
halve; its value for a stage is 2 H W times ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kd_trainable.methods.at import attention, maps
from kd_trainable.vocabulary import Batch, Outputs

EPS = 1e-12  # under the root of the distance: it is 1e-6 at agreement, with no gradient


def loss(student: Outputs, teacher: Outputs, batch: Batch, *, hyperparameters: Mapping[str, Any]) -> Float[Tensor, ""]:
    """Half the sum over stages of (batch mean of the attentions' distance) / pixels, in float32, not yet weighted.

    ``hyperparameters``: ``p``, the power. The gradient goes to the student alone. Raises InputError for features that
    are no maps.
    """
    p = hyperparameters["p"]
    distances = [_distance(attention(s, p), attention(t, p)) for s, t in maps(student, teacher)]
    return torch.stack(distances).sum() / 2


def _distance(student: Float[Tensor, "B HW"], teacher: Float[Tensor, "B HW"]) -> Float[Tensor, ""]:
    return ((student - teacher).square().sum(-1) + EPS).sqrt().mean() / student.shape[-1]
