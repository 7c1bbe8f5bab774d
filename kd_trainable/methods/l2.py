"""Regression of the teacher's logits: mean squared difference (Ba & Caruana 2014, arXiv:1312.6184).

Mean over batch and classes of (student - teacher)^2, as AberHu/Knowledge-Distillation-Zoo e8e298d has it
(kd_losses/logits.py). Default weight: 0.1, theirs, beside a whole cross-entropy.

What differs from the paper: it sums over classes and halves, so its weight is K / 2 times ours, and trains on nothing
else. The distance is that of method kd in mode ``logit_mse``; there the convention's alpha weighs it, here ``weight``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor

from kd_trainable.vocabulary import Batch, Outputs


def loss(student: Outputs, teacher: Outputs, batch: Batch, *, hyperparameters: Mapping[str, Any]) -> Float[Tensor, ""]:
    """Mean over batch and classes of the squared difference of logits, in float32, not yet weighted."""
    return (student.logits.float() - teacher.logits.float()).square().mean()
