"""Random data in the shapes that the benchmarks need: what is timed does not depend on what the pixels show."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from kd_trainable.data.images import ImageData

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)
TRAIN, TEST = 50_000, 10_000


@functools.cache
def cifar_sized() -> ImageData:
    """50,000 + 10,000 random images of 3 x 32 x 32, 10 classes."""
    return _random("cifar_sized", TRAIN, TEST, (3, 32, 32))


@functools.cache
def few() -> ImageData:
    """256 + 250 random images of 3 x 32 x 32: a student of CIFAR-10 trains on them, and they take no memory."""
    return _random("few", 256, 250, (3, 32, 32))


@functools.cache
def forty() -> ImageData:
    """40 + 20 images of 1 x 4 x 4, 10 classes: next to nothing to train on. Pixel k is the brightest of class k."""
    dim = _random("forty", 40, 20, (1, 4, 4))
    return replace(
        dim,
        train_images=_with_bright_pixel(dim.train_images, dim.train_labels),
        test_images=_with_bright_pixel(dim.test_images, dim.test_labels),
    )


def _with_bright_pixel(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    flat = images.reshape(len(images), -1) // 2
    flat[np.arange(len(flat)), labels] = 255
    return flat.reshape(images.shape)


def _random(name: str, train: int, test: int, shape: tuple[int, int, int]) -> ImageData:
    draw = np.random.default_rng(0)
    channels = shape[0]
    return ImageData(
        name=name,
        train_images=draw.integers(0, 256, (train, *shape), np.uint8),
        train_labels=np.arange(train) % 10,
        test_images=draw.integers(0, 256, (test, *shape), np.uint8),
        test_labels=np.arange(test) % 10,
        classes=tuple("0123456789"),
        normalizations={"dataset": (MEAN[:channels], STD[:channels])},
        provenance={"source": "random numbers, for benchmarks"},
    )
