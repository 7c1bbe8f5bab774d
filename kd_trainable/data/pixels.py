"""How the training images look in an epoch, to student and teacher alike: view, boxes filled, partner mixed in.

Erased boxes and cut squares are filled with the data set's mean colour in whole bytes, before normalisation, so that
two networks see the same bytes whatever the normalisation of each. What differs: the paper on random erasing fills
with random values, torchvision with 0 unless it is told otherwise; cutout's authors fill with 0 after normalisation,
which is this colour but for the rounding to bytes.
Mixing comes after normalisation, in float32: normalisation is affine, so that mixing commutes with it up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor

from kd_trainable.data import VIEWS
from kd_trainable.data.stream import epoch_boxes, epoch_mix, epoch_squares, epoch_views
from kd_trainable.data.views import render
from kd_trainable.vocabulary import Pixels

if TYPE_CHECKING:
    from kd_trainable.data.inputs import Inputs


class Mix(NamedTuple):
    """What is mixed into each image: ``share`` x the image + (1 - ``share``) x its partner, as both look."""

    partners: Tensor  # int64 [B], indices in the training split
    shares: Tensor  # float32 [B], the image's own


@dataclass(frozen=True, eq=False)
class Looks:
    """Every training image by index, on the images' device: its view, boxes (top, left, height, width), partner.

    ``boxes`` holds one box for each of erasing and cutout that is on; a box without height is none.
    """

    augment: str
    views: Int64[Tensor, " N"]
    boxes: Int64[Tensor, "N R 4"] | None = None
    partners: Int64[Tensor, " N"] | None = None
    shares: Float32[Tensor, " N"] | None = None

    @classmethod
    def of(cls, seed: int, epoch: int, inputs: Inputs, pixels: Pixels) -> Looks:
        """The looks of the training split of ``inputs`` in (seed, epoch)."""
        images, device = len(inputs.train), inputs.device
        views = epoch_views(seed, epoch, images, VIEWS[pixels.augment])
        looks = {"views": views, **_boxes(seed, epoch, images, inputs.images.shape[2:], pixels)}
        if pixels.mixup:
            looks["partners"], looks["shares"] = epoch_mix(seed, epoch, images, pixels.mixup)
        return cls(pixels.augment, **{name: torch.from_numpy(array).to(device) for name, array in looks.items()})

    @classmethod
    def of_view(cls, view: int, inputs: Inputs, pixels: Pixels) -> Looks:
        """Every image in the same view. Raises ValueError where an image has more looks than views."""
        if not pixels.finite:
            raise ValueError(f"{pixels} has looks beyond its views")
        return cls(pixels.augment, torch.full((len(inputs.train),), view, device=inputs.device))

    def mix(self, indices: Int64[Tensor, " B"]) -> Mix | None:
        """The partners of images and their own shares; None without mixup."""
        if self.partners is None or self.shares is None:
            return None
        return Mix(self.partners[indices], self.shares[indices])

    def shown(
        self, images: UInt8[Tensor, "B C H W"], indices: Int64[Tensor, " B"], colour: UInt8[Tensor, " C"]
    ) -> UInt8[Tensor, "B C H W"]:
        """The images of these indices in their views, their boxes filled with ``colour``; nothing mixed in yet."""
        seen = render(images, self.views[indices], self.augment)
        return seen if self.boxes is None else fill(seen, self.boxes[indices], colour)


def fill(
    images: UInt8[Tensor, "B C H W"], boxes: Int64[Tensor, "B R 4"], colour: UInt8[Tensor, " C"]
) -> UInt8[Tensor, "B C H W"]:
    """The images with each one's boxes (top, left, height, width) in ``colour``, as a new tensor."""
    top, left, height, width = boxes.unsqueeze(3).unbind(2)
    down, across = (torch.arange(size, device=images.device) for size in images.shape[2:])
    rows = ((down >= top) & (down < top + height)).to(torch.uint8)
    columns = ((across >= left) & (across < left + width)).to(torch.uint8)
    inside = (rows.unsqueeze(3) & columns.unsqueeze(2)).amax(1, keepdim=True)
    # By arithmetic, since torch.where of bytes is slow on a CPU: 2.9 us an image of CIFAR-10's shape, this 0.75.
    return images * (1 - inside) + colour.view(1, -1, 1, 1) * inside


def mixed(
    own: Float[Tensor, "B C H W"], others: Float[Tensor, "B C H W"], shares: Float[Tensor, " B"]
) -> Float[Tensor, "B C H W"]:
    """share x own + (1 - share) x others, written over both.

    Step by step, not as one fused operation, whose rounding may depend on a pixel's place in the batch.
    """
    share = shares.view(-1, 1, 1, 1)
    return own.mul_(share).add_(others.mul_(1 - share))


def _boxes(
    seed: int, epoch: int, images: int, size: tuple[int, int] | torch.Size, pixels: Pixels
) -> dict[str, Int64[np.ndarray, "N R 4"]]:
    made = []
    if pixels.random_erasing:
        made.append(epoch_boxes(seed, epoch, images, pixels.random_erasing, *size))
    if pixels.cutout:
        made.append(epoch_squares(seed, epoch, images, pixels.cutout, *size))
    return {"boxes": np.stack(made, axis=1)} if made else {}
