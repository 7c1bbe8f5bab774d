"""Distillation by logits (Hinton, Vinyals, Dean 2015, arXiv:1503.02531), with four distances to the teacher.

p = softmax(student logits / T) and q = softmax(teacher logits / T), the paper's equation 1. The modes:

- ``cse``: soft cross-entropy -sum_k q log p, the paper's objective for soft targets; its gradient, equation 2, is
  (p - q) / T for each image.
- ``kl``: KL(q || p) = cse less the teacher's entropy: the same gradient, but 0 at agreement. This is what is logged,
  whatever is trained, so that curves compare across T.
- ``mse``: half the mean squared difference of p and q (JoonyoungYi/KD-pytorch b78655c, ``kd_mode=mse``).
- ``logit_mse``: mean squared difference of the raw logits, without T (Kim et al., IJCAI 2021, arXiv:2105.08919).
  Their equation is the squared norm; their code (jhoon-oh/kd_data bff9dda) and ours take the mean over classes.

What differs from common code: nothing here is multiplied by T^2 or alpha (a convention does that, outside); ``cse``
and ``kl`` are summed over classes and averaged over the batch (haitongli's and TAKD's "mean" also divides by K, so
their weight is K times smaller than it reads); and F.kl_div is not used, since vmap has no batching rule for it.
Default weight: the convention's alpha, 0.9 at T = 4 as in RepDistiller and mdistiller.

All is computed in float32, whatever the precision of the networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kd_trainable.vocabulary import Batch, Outputs

Logits = Float[Tensor, "B K"]
Scalar = float | int | Float[Tensor, ""]  # a tensor when vmap gives each student of a pack its own


def loss(student: Outputs, teacher: Outputs, batch: Batch, *, hyperparameters: Mapping[str, Any]) -> Float[Tensor, ""]:
    """D(teacher || student at T), not yet weighted: sum over ``modes`` of coefficient x distance, in float32.

    ``hyperparameters``: ``temperature``, T > 0; and ``modes``, name -> coefficient. One student has one mode with
    coefficient 1. A pack names every mode that it holds, and each of its students has 1 for its own and 0 for the
    others, since under vmap no student can branch. Labels and indices in ``batch`` are not used.
    """
    total = torch.zeros((), device=student.logits.device)
    for name, coefficient in hyperparameters["modes"].items():
        distance = MODES[name](student.logits, teacher.logits, hyperparameters["temperature"])
        total = total + coefficient * distance
    return total


def cse(student_logits: Logits, teacher_logits: Logits, temperature: Scalar) -> Float[Tensor, ""]:
    """Soft cross-entropy in nats: -sum_k q log p, batch mean."""
    q = _log_softened(teacher_logits, temperature).exp()
    return -(q * _log_softened(student_logits, temperature)).sum(-1).mean()


def kl(student_logits: Logits, teacher_logits: Logits, temperature: Scalar) -> Float[Tensor, ""]:
    """KL(q || p) in nats: sum_k q (log q - log p), batch mean."""
    log_p, log_q = _log_softened(student_logits, temperature), _log_softened(teacher_logits, temperature)
    p, q = log_p.exp(), log_q.exp()
    # A class that the teacher masks with -inf has q = 0 and must cost 0; 0 x -inf would be NaN.
    log_ratio = log_q.clamp(min=torch.finfo(torch.float32).min) - log_p
    # p - q sums to 0, but class by class it takes away the first order of log_ratio, and most rounding error with it:
    # at T = 1000 (8 images, 100 classes, logits of sd 3) 3 % of KL without it and 0.04 % with it.
    return (q * log_ratio + (p - q)).sum(-1).mean()


def mse(student_logits: Logits, teacher_logits: Logits, temperature: Scalar) -> Float[Tensor, ""]:
    """Half the mean over batch and classes of (p - q)^2."""
    p, q = _log_softened(student_logits, temperature).exp(), _log_softened(teacher_logits, temperature).exp()
    return (p - q).square().mean() / 2


def logit_mse(student_logits: Logits, teacher_logits: Logits, temperature: Scalar) -> Float[Tensor, ""]:
    """Mean over batch and classes of the squared difference of logits; ``temperature`` does not enter."""
    return (student_logits.float() - teacher_logits.float()).square().mean()


MODES: dict[str, Callable[[Tensor, Tensor, Any], Tensor]] = {
    "cse": cse,
    "kl": kl,
    "mse": mse,
    "logit_mse": logit_mse,
}


def _log_softened(logits: Logits, temperature: Scalar) -> Float[Tensor, "B K"]:
    # Cast before dividing: bfloat16 logits / T would round what T was meant to bring out.
    return torch.log_softmax(logits.float() / temperature, dim=-1)
