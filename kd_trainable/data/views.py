"""The finite views of an image that an augmentation can show, and the step from bytes to a network's input."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from kd_trainable.data import VIEWS
from kd_trainable.vocabulary import require_known

_PAD = 4
_SHIFTS = 2 * _PAD + 1


def render(images: UInt8[Tensor, "B C H W"], views: Int64[Tensor, " B"], augment: str) -> UInt8[Tensor, "B C H W"]:
    """Each image in its view, on the images' own device; ``none`` gives back the very tensor it was given.

    A crop pads with 4 zeros on all sides and takes the window that starts at (dy, dx) in 0..8, so that (4, 4) is the
    image itself; a flip mirrors left and right, after the crop. Raises InputError for an unknown ``augment``.
    """
    require_known("augment", augment, VIEWS)
    if augment == "none":
        return images
    if augment == "flip":
        return torch.where((views == 1).view(-1, 1, 1, 1), images.flip(3), images)
    if augment == "crop4":
        return _crop(images, views, torch.zeros_like(views))
    return _crop(images, views // 2, views % 2)


def _crop(
    images: UInt8[Tensor, "B C H W"], crops: Int64[Tensor, " B"], flips: Int64[Tensor, " B"]
) -> UInt8[Tensor, "B C H W"]:
    """One gather from the padded images, crop and flip together.

    Measured at CIFAR-10's shape on one CPU thread: 2 us an image; windows by unfold and an index, then a flip: 4.7.
    """
    batch, channels, height, width = images.shape
    padded = F.pad(images, (_PAD,) * 4)
    down = torch.arange(height, device=images.device).view(1, -1, 1)
    across = torch.arange(width, device=images.device).view(1, 1, -1)
    flips = flips.view(-1, 1, 1)
    across = across + flips * (width - 1 - 2 * across)  # mirrored where flips is 1
    dy, dx = (crops // _SHIFTS).view(-1, 1, 1), (crops % _SHIFTS).view(-1, 1, 1)
    source = (dy + down) * padded.shape[3] + dx + across
    source = source.view(batch, 1, -1).expand(-1, channels, -1)
    return padded.view(batch, channels, -1).gather(2, source).view(batch, channels, height, width)


def normalise(
    images: UInt8[Tensor, "B C H W"],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    *,
    channels_last: bool = False,
) -> Float[Tensor, "B C H W"]:
    """(x / 255 - mean) / std in float32, in these three roundings, which are torchvision's; mean, std per channel.

    ``channels_last`` sets the memory format of the result, and not a bit of its values.
    """
    levels, means, stds = _constants(tuple(mean), tuple(std), images.device)
    values = images.to(torch.float32).div_(levels).sub_(means).div_(stds)
    # Last, since casting into the other layout at once is not vectorised: 5.7 us an image on one CPU thread, this 2.0.
    return values.contiguous(memory_format=torch.channels_last) if channels_last else values


@lru_cache(maxsize=64)
def _constants(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[Float[Tensor, "1"], Float[Tensor, "C 1 1"], Float[Tensor, "C 1 1"]]:
    """255, mean and std on the device. Kept, since making them anew would hold up a GPU at every step.

    255 as a tensor, since a GPU would multiply by a plain number's rounded inverse.
    """
    with torch.inference_mode(False):  # else what is made first under inference mode is refused elsewhere later
        levels = torch.tensor([255.0], device=device)
        means, stds = (torch.tensor(values, device=device).view(-1, 1, 1) for values in (mean, std))
    return levels, means, stds
