"""The hard half of every loss: cross-entropy with the labels, with label smoothing, and with mixed labels."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def hard_loss(
    logits: Float[Tensor, "B K"], labels: Int64[Tensor, "B"], smoothing: float | int | Float[Tensor, ""] = 0.0
) -> Float[Tensor, ""]:
    """(1 - s) x cross-entropy + s x mean over classes of -log p, batch mean, in nats and float32.

    Label smoothing (Szegedy et al. 2016, arXiv:1512.00567, section 7) as torch has it: the share s goes to all K
    classes, the true one included. Equal to F.cross_entropy, whose ``label_smoothing`` must be a Python number and
    so cannot differ between the students of a pack under vmap.
    """
    return _per_image(logits, labels, smoothing).mean()


def mixed_hard_loss(
    logits: Float[Tensor, "B K"],
    labels: Int64[Tensor, "B"],
    others: Int64[Tensor, "B"],
    shares: Float[Tensor, "B"],
    smoothing: float | int | Float[Tensor, ""] = 0.0,
) -> Float[Tensor, ""]:
    """Mean of share x the loss with an image's label + (1 - share) x that with its partner's, in nats and float32.

    The loss of mixup (Zhang et al. 2018, arXiv:1710.09412) as its authors compute it; equal to cross-entropy with the
    mixed one-hot labels, since that is linear in them.
    """
    own, partner = (_per_image(logits, of, smoothing) for of in (labels, others))
    return (shares * own + (1 - shares) * partner).mean()


def _per_image(
    logits: Float[Tensor, "B K"], labels: Int64[Tensor, "B"], smoothing: float | int | Float[Tensor, ""]
) -> Float[Tensor, "B"]:
    log_p = torch.log_softmax(logits.float(), dim=-1)
    of_label = log_p.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    return -((1 - smoothing) * of_label + smoothing * log_p.mean(-1))
