"""Similarity-preserving distillation (Tung & Mori 2019, arXiv:1907.09682).

The Gram matrix of the batch's flattened features, each row divided by its L2 norm; squared Frobenius norm of the
difference between student and teacher, over B^2 (the paper's L_SP; HobbitLong/RepDistiller 1e2f816,
distiller_zoo/SP.py, "verified by original author"). Default weight: 3000, RepDistiller's and mdistiller's.

It depends on the batch: an image is compared with those that it is drawn with, and the value with their number. The
batch size is part of what the method is; change it, and the weight means something else.

What differs: only the eps, which stands under the root.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kd_trainable.vocabulary import Batch, Outputs

EPS = 1e-12  # under the root: an image whose features are all 0 has no similarities, and no direction


def loss(student: Outputs, teacher: Outputs, batch: Batch, *, hyperparameters: Mapping[str, Any]) -> Float[Tensor, ""]:
    """Mean over the B^2 pairs of the squared difference of similarities, summed over the taps, in float32."""
    distances = [_distance(features, teacher.features[tap]) for tap, features in student.features.items()]
    return torch.stack(distances).sum()


def _distance(student: Float[Tensor, "B ..."], teacher: Float[Tensor, "B ..."]) -> Float[Tensor, ""]:
    return (_similarities(student) - _similarities(teacher)).square().mean()


def _similarities(features: Float[Tensor, "B ..."]) -> Float[Tensor, "B B"]:
    flat = features.float().flatten(1)
    gram = flat @ flat.T
    return gram / (gram.square().sum(-1, keepdim=True) + EPS).sqrt()
