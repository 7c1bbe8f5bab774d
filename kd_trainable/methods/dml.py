"""Deep mutual learning (Zhang et al. 2018, arXiv:1706.00384): two students that learn from each other.

Each minimises cross-entropy + KL(other || itself), the paper's equation 4, on the same batches; the engine trains the
other one, the peer, whose outputs are given here as ``teacher`` and carry no gradient. Default weight: 1, the paper's.

What differs: the paper knows no temperature; it is 1 by default, and T^2 keeps the gradient's size where it is not.
The paper steps one network and asks it again before it steps the other; here both learn from what they said before
the step. Two networks only: the paper's cohorts of K average the KL to the K - 1 others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor

from kd_trainable.methods import kd
from kd_trainable.vocabulary import Batch, Outputs


def loss(student: Outputs, teacher: Outputs, batch: Batch, *, hyperparameters: Mapping[str, Any]) -> Float[Tensor, ""]:
    """T^2 x KL(peer || student) at T in nats, batch mean, in float32. ``hyperparameters``: ``temperature``, T > 0."""
    temperature = hyperparameters["temperature"]
    return temperature * temperature * kd.kl(student.logits, teacher.logits, temperature)
