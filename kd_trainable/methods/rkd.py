"""Relational knowledge distillation (Park et al. 2019, arXiv:1904.05068): the shape of a batch, not its place.

``distance`` x RKD-D + ``angle`` x RKD-A of the paper. RKD-D compares the distances between embeddings, divided by
their mean; RKD-A the cosines of the angles that triplets of images make; both by the Huber loss of threshold 1, mean
over all B^2 pairs and B^3 triplets, those of an image with itself included (lenscloth/RKD 21fae20, metric/loss.py).
Default weight: 1, with distance 25 and angle 50, RepDistiller's and mdistiller's. The authors' command line and
torchdistill have 1 and 2.

It depends on the batch: images are related to those that they are drawn with. The batch size is part of what the
method is. Memory is O(B^3) for the angles: float32 takes 1 MiB at B = 64, 8 MiB at 128 and 64 MiB at 256, several times
over, and for each student of a pack; differences take B^2 x D.

What differs: distances come from differences rather than from the Gram matrix, which loses half the digits where two
embeddings are near; and a pair that coincides has no direction and no gradient, where the authors' has one of 1e12.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kd_trainable.vocabulary import Batch, Outputs

EPS = 1e-12  # of a squared distance, the authors': nearer than 1e-6 is the same place

Scalar = float | int | Float[Tensor, ""]


def loss(student: Outputs, teacher: Outputs, batch: Batch, *, hyperparameters: Mapping[str, Any]) -> Float[Tensor, ""]:
    """distance x RKD-D + angle x RKD-A, summed over the taps, in float32, not yet weighted.

    ``hyperparameters``: ``distance`` and ``angle``, the weights of the two.
    """
    of_distance, of_angle = hyperparameters["distance"], hyperparameters["angle"]
    found = [
        _relations(features, teacher.features[tap], of_distance, of_angle) for tap, features in student.features.items()
    ]
    return torch.stack(found).sum()


def _relations(
    student: Float[Tensor, "B ..."], teacher: Float[Tensor, "B ..."], of_distance: Scalar, of_angle: Scalar
) -> Float[Tensor, ""]:
    (ours, our_way), (theirs, their_way) = _geometry(student), _geometry(teacher)
    by_distance = _huber(_by_mean(ours) - _by_mean(theirs))
    by_angle = _huber(our_way @ our_way.mT - their_way @ their_way.mT)
    return of_distance * by_distance + of_angle * by_angle


def _geometry(features: Float[Tensor, "B ..."]) -> tuple[Float[Tensor, "B B"], Float[Tensor, "B B D"]]:
    """The distance of every pair, and the direction from one to the other, of length 1; 0 where they coincide."""
    flat = features.float().flatten(1)
    difference = flat.unsqueeze(0) - flat.unsqueeze(1)
    square = difference.square().sum(-1)
    length = square.clamp(min=EPS).sqrt()
    apart = (square > EPS).float()
    others = 1 - torch.eye(len(flat), device=flat.device)
    return length * others, difference * (apart / length).unsqueeze(-1)


def _by_mean(distances: Float[Tensor, "B B"]) -> Float[Tensor, "B B"]:
    """Divided by the mean over pairs of two images; a batch of one has none, and stays 0."""
    pairs = max(len(distances) * (len(distances) - 1), 1)
    return distances / (distances.sum() / pairs).clamp(min=EPS)


def _huber(difference: Float[Tensor, "..."]) -> Float[Tensor, ""]:
    size = difference.abs()
    return torch.where(size < 1, size.square() / 2, size - 0.5).mean()
