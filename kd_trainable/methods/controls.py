"""Negative controls: a teacher that knows nothing of the image, put in the true one's place as its logits are read.

If a student gains as much from a control as from the teacher, then it did not gain from what the teacher knows.
Both leave images, labels, order and views as they are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kd_trainable.vocabulary import InputError, require_known

# Sets these draws apart from all others of the same data seed: larger than any purpose or version there, and not 0,
# since SeedSequence reads a missing word as 0.
SHUFFLE_STREAM = 0x53485546


def controlled(logits: Float[Tensor, "N K"], control: str, data_seed: int) -> Float[Tensor, "N K"]:
    """The logits [N, K], by image index, that students see under ``control``, in dtype and device of ``logits``.

    ``none`` gives ``logits`` itself; the others give a new tensor. Raises InputError for an unknown control.
    """
    require_known("control", control, CONTROLS)
    return CONTROLS[control](logits, data_seed)


def partners(data_seed: int, images: int) -> np.ndarray:
    """For each image, the index of the other image whose logits it gets: int64 [N], in which no entry is its own.

    One cycle through all images in random order. The same in every epoch, so that a student could learn it by
    heart, as it could the fixed mistakes of a wrong teacher. About one partner in K has the same class.
    Raises InputError for fewer than two images.
    """
    if images < 2:
        raise InputError(f"control: 'shuffled-teacher' needs at least 2 images; there is {images}")
    # Raw bits, since numpy may change what a Generator's permutation draws, but not what PCG64 gives.
    bits = np.random.PCG64(np.random.SeedSequence([data_seed, SHUFFLE_STREAM])).random_raw(images)
    order = np.argsort(bits, kind="stable").astype(np.int64)
    others = np.empty_like(order)
    others[order] = np.roll(order, -1)
    return others


def _true_teacher(logits: Float[Tensor, "N K"], data_seed: int) -> Float[Tensor, "N K"]:
    return logits


def _shuffled_teacher(logits: Float[Tensor, "N K"], data_seed: int) -> Float[Tensor, "N K"]:
    return logits[torch.from_numpy(partners(data_seed, len(logits))).to(logits.device)]


def _uniform_teacher(logits: Float[Tensor, "N K"], data_seed: int) -> Float[Tensor, "N K"]:
    return torch.zeros_like(logits)


CONTROLS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "none": _true_teacher,
    "shuffled-teacher": _shuffled_teacher,
    "uniform-teacher": _uniform_teacher,
}
