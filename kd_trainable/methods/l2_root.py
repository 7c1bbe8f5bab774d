"""Square root of the summed Euclidean distances between the logits of student and teacher, image by image.

sqrt(sum over the batch of ||student - teacher||): the "L2" of untitledunmastered1998/DistillationLab cc43011
(src/methods/L2.py), which cites no paper. Kept apart from ``l2`` so that its experiments can be repeated as they were.
Default weight: 1, its ``--lamb`` (src/train_student.py).

It grows with the square root of the batch size (256 there), which is therefore part of what the weight means. Like any
square root of a distance it pulls the harder the nearer the student is; the eps under both roots bounds that, and at
agreement the gradient is 0. The code there adds 1e-6 to each difference instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor

from kd_trainable.vocabulary import Batch, Outputs

EPS = 1e-24  # under two roots: 128 images that agree cost 1e-5


def loss(student: Outputs, teacher: Outputs, batch: Batch, *, hyperparameters: Mapping[str, Any]) -> Float[Tensor, ""]:
    """sqrt(sum_images ||difference of logits||_2), in float32, not yet weighted."""
    difference = student.logits.float() - teacher.logits.float()
    distances = (difference.square().sum(-1) + EPS).sqrt()
    return (distances.sum() + EPS).sqrt()
