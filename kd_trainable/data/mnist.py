"""MNIST (LeCun et al. 1998), through torchvision: 60,000 and 10,000 grey digits of 28 x 28."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torchvision
from jaxtyping import UInt8
from torchvision.datasets import MNIST

from kd_trainable.data.files import Published, files_of
from kd_trainable.data.idx import read_all
from kd_trainable.data.images import ImageData, normalizations


def mnist(data_dir: str | Path | None = None, download: bool = True) -> ImageData:
    """MNIST as published: 1 x 28 x 28.

    ``data_dir`` holds MNIST/raw, or is that folder, with the four idx files, gzipped or not, and is only read.
    Without it the data lies in ``$XDG_CACHE_HOME/kd_trainable/mnist`` (default ``~/.cache``), and is downloaded to it
    (12 MB) where ``download`` allows. Raises InputError where data is missing or damaged, and without a network.
    The md5s are those of the gzipped files; files given unpacked are checked by their size alone.
    """
    return read_mnist("mnist", "MNIST", MNIST, data_dir, download)


def mnist32(data_dir: str | Path | None = None, download: bool = True) -> ImageData:
    """MNIST for networks that take 3 x 32 x 32: padded with 2 zeros on all sides, not resized, and repeated over the
    channels. It uses mnist's files."""
    data = mnist(data_dir, download)
    train, test = _padded(data.train_images), _padded(data.test_images)
    return replace(
        data, name="mnist32", train_images=train, test_images=test, normalizations=normalizations("mnist32", train)
    )


def _padded(images: UInt8[np.ndarray, "N 1 28 28"]) -> UInt8[np.ndarray, "N 3 32 32"]:
    return np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2))).repeat(3, axis=1)


def read_mnist(dataset: str, title: str, official: Any, data_dir: str | Path | None, download: bool) -> ImageData:
    """A data set in MNIST's format, of which torchvision's class ``official`` knows the files and their md5s."""
    files = Published(
        dataset,
        title,
        official.mirrors[0],
        f"{official.__name__}/raw",
        dict(official.resources),
        partial(_fetch, official),
        gzipped=True,
    )
    found = files_of(files, data_dir, download)
    images, labels, test_images, test_labels = read_all(found)
    return ImageData(
        name=dataset,
        train_images=images,
        train_labels=labels,
        test_images=test_images,
        test_labels=test_labels,
        classes=tuple(official.classes),
        normalizations=normalizations(dataset, images),
        provenance={"source": files.url, "torchvision": torchvision.__version__, **found.known()},
    )


def _fetch(official: Any, folder: Path) -> None:
    """torchvision tries its mirrors in turn and checks the md5s."""
    official(str(folder), download=True)
