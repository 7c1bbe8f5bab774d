"""A data set as this library holds it: uint8 arrays in memory, checked once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

from kd_trainable.data import DATASETS
from kd_trainable.vocabulary import InputError

Normalization = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True, eq=False)  # eq=False: arrays have no single truth value; compare fingerprints
class ImageData:
    """Images [N, C, H, W] of 0..255, labels [N] in 0..K-1, for training and for the test.

    ``normalizations`` maps a name to (mean, std) per channel, of pixels in [0, 1]; ``provenance`` says in words
    where the arrays came from. Raises InputError, in one line, for arrays that do not fit together.
    """

    name: str
    # Anyone's own loader fills these, so they are checked below at every use, and not by jaxtyping in tests alone.
    train_images: np.ndarray  # uint8 [N, C, H, W]
    train_labels: np.ndarray  # int64 [N]
    test_images: np.ndarray  # uint8 [M, C, H, W]
    test_labels: np.ndarray  # int64 [M]
    classes: tuple[str, ...]
    normalizations: Mapping[str, Normalization]
    provenance: Mapping[str, str]

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise InputError(f"dataset: {self.name}: has {len(self.classes)} class; allowed: at least 2")
        _check_split(self.name, "train", self.train_images, self.train_labels, len(self.classes))
        _check_split(self.name, "test", self.test_images, self.test_labels, len(self.classes))
        train, test = self.train_images.shape[1:], self.test_images.shape[1:]
        if train != test:
            raise InputError(f"dataset: {self.name}: test_images are {test} each; allowed: {train}, as train_images")
        for key, normalization in self.normalizations.items():
            _check_normalization(self.name, key, normalization, channels=train[0])

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""
        _, channels, height, width = self.train_images.shape
        return channels, height, width

    def fingerprint(self) -> str:
        """sha256 (64 hex digits) of the arrays' types, shapes and bytes: the same pixels, whatever the name."""
        digest = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            # Neither call copies what is contiguous and little-endian already: CIFAR-10 is 184 MB.
            plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
            digest.update(f"{plain.dtype.str}{plain.shape}".encode())
            digest.update(plain.reshape(-1).view(np.uint8).data)
        return digest.hexdigest()


def _check_split(name: str, split: str, images: np.ndarray, labels: np.ndarray, classes: int) -> None:
    where = f"dataset: {name}: {split}"
    if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape:
        raise InputError(
            f"{where}_images are {images.dtype} {images.shape}; allowed: uint8 [N, C, H, W], none of them 0"
        )
    if labels.dtype != np.int64 or labels.shape != images.shape[:1]:
        raise InputError(f"{where}_labels are {labels.dtype} {labels.shape}; allowed: int64 [{len(images)}]")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise InputError(
            f"{where}_labels lie in {low}..{high}; allowed: 0..{classes - 1}, as there are {classes} classes"
        )


def _check_normalization(name: str, key: str, normalization: Normalization, channels: int) -> None:
    mean, std = normalization
    if len(mean) != channels or len(std) != channels or min(std) <= 0:
        raise InputError(
            f"dataset: {name}: normalization {key!r} is {normalization}; allowed: {channels} means and positive stds"
        )


def normalizations(dataset: str, images: UInt8[np.ndarray, "N C H W"]) -> Mapping[str, Normalization]:
    """Those that the table states for ``dataset``; where it states none, ``dataset``, measured on ``images``."""
    return DATASETS[dataset].normalizations or {"dataset": measured(images)}


def measured(images: UInt8[np.ndarray, "N C H W"]) -> Normalization:
    """Mean and standard deviation of all pixels per channel, in [0, 1], to the four digits that are customary.

    From counts of the 256 levels, so exact before that rounding, and the same on every machine. A channel that is
    the same everywhere has the standard deviation 1, so that it can be divided by.
    """
    levels = np.arange(256)
    counts = np.zeros((images.shape[1], 256), np.int64)
    for at in range(0, len(images), 1024):  # bincount widens what it counts eightfold
        for channel, row in enumerate(counts):
            row += np.bincount(images[at : at + 1024, channel].ravel(), minlength=256)
    mean = counts @ levels / counts.sum(1)
    std = np.sqrt((counts * (levels - mean[:, None]) ** 2).sum(1) / counts.sum(1))
    rounded = [[round(float(value) / 255, 4) for value in values] for values in (mean, std)]
    return tuple(rounded[0]), tuple(value or 1.0 for value in rounded[1])


def from_one(labels: Int64[np.ndarray, " N"], classes: int, where: str) -> Int64[np.ndarray, " N"]:
    """Labels published as 1..K, as 0..K-1. Raises InputError for others."""
    low, high = (int(labels.min()), int(labels.max())) if len(labels) else (1, 1)
    if low < 1 or high > classes:
        raise InputError(f"dataset: {where} labels lie in {low}..{high} as stored; allowed: 1..{classes}")
    return labels - 1
