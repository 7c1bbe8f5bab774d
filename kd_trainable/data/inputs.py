"""A data set's split on a device, and the pixels of a step: gathered, augmented and normalised in batches there."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from kd_trainable.data.images import ImageData, Normalization
from kd_trainable.data.pixels import Looks, mixed
from kd_trainable.data.split import holdout
from kd_trainable.data.views import normalise
from kd_trainable.vocabulary import require_known


@dataclass(frozen=True, eq=False)
class Inputs:
    """Images stay uint8; on the CPU they are views of the arrays given, so that trials share one copy in memory.

    ``train`` and ``validation`` are the rows of the split in ``images``; an image's index in the training split
    is its place in ``train``. ``colour`` is what a hole in an image is filled with: the data set's mean, in bytes.
    """

    images: Tensor  # uint8 [N, C, H, W], all training images
    labels: Tensor  # int64 [N]
    test_images: Tensor
    test_labels: Tensor
    train: Int64[Tensor, " n"]
    validation: Int64[Tensor, " v"]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    colour: UInt8[Tensor, " C"]
    classes: int
    channels_last: bool

    @property
    def device(self) -> torch.device:
        """Where the images lie."""
        return self.images.device

    @property
    def train_labels(self) -> Int64[Tensor, " n"]:
        """Labels of the training split, by index."""
        return self.labels[self.train]

    def training_pixels(self, indices: Int64[Tensor, " B"], looks: Looks) -> Float[Tensor, "B C H W"]:
        """Images of the training split by index, as they look, and as a network takes them."""
        own, mix = self._unmixed(indices, looks), looks.mix(indices)
        return own if mix is None else mixed(own, self._unmixed(mix.partners, looks), mix.shares)

    def _unmixed(self, indices: Int64[Tensor, " B"], looks: Looks) -> Float[Tensor, "B C H W"]:
        images = self.images[self.train[indices]]
        return self.as_input(looks.shown(images, indices, self.colour))

    def as_input(self, images: Tensor) -> Float[Tensor, "B C H W"]:
        """uint8 images [B, C, H, W] as a network takes them."""
        return normalise(images, self.mean, self.std, channels_last=self.channels_last)


def make_inputs(
    data: ImageData, protocol: str, normalization: str, device: torch.device | str, channels_last: bool
) -> Inputs:
    """The split of ``protocol`` on ``device``; validation is empty under ``published``."""
    require_known("normalization", normalization, data.normalizations)
    mean, std = data.normalizations[normalization]
    train, validation = split_of(data.train_labels, len(data.classes), protocol)
    put = {
        "images": data.train_images,
        "labels": data.train_labels,
        "test_images": data.test_images,
        "test_labels": data.test_labels,
        "train": train,
        "validation": validation,
        "colour": colour_of(next(iter(data.normalizations.values()))),
    }
    tensors = {name: shared_tensor(array).to(device) for name, array in put.items()}
    return Inputs(mean=mean, std=std, classes=len(data.classes), channels_last=channels_last, **tensors)


def split_of(labels: np.ndarray, classes: int, protocol: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows trained on and rows held out, of all the training images."""
    if protocol == "holdout":
        return holdout(labels, classes)
    return np.arange(len(labels)), np.arange(0)


def colour_of(normalization: Normalization) -> UInt8[np.ndarray, " C"]:
    """The mean of the pixels as bytes. Of the data set's first normalization, so of the same whoever looks."""
    mean, _ = normalization
    return np.rint(255 * np.clip(mean, 0, 1)).astype(np.uint8)


def shared_tensor(array: np.ndarray) -> Tensor:
    """A view of an array, which may be read-only memory that other processes read: nobody may write through it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def wants_channels_last(device: torch.device | str, precision: str) -> bool:
    """Whether convolutions gain by channels_last.

    Measured on a CPU with AVX-512: 5.9 -> 4.9 ms a step in float32, 2x in bf16. On CUDA tensor cores want it in
    bf16, and float32 without them does not gain.
    """
    return torch.device(device).type == "cpu" or precision == "bf16"
