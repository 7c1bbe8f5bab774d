"""CIFAR-10 (Krizhevsky 2009), through torchvision: 50,000 and 10,000 colour images of 32 x 32 in 10 classes."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import torchvision
from torchvision.datasets import CIFAR10
from torchvision.datasets.utils import download_and_extract_archive

from kd_trainable.data.batches import joined, read_batch
from kd_trainable.data.files import Published, files_of
from kd_trainable.data.images import ImageData, normalizations
from kd_trainable.data.pickles import read_pickle


def cifar10(data_dir: str | Path | None = None, download: bool = True) -> ImageData:
    """The arrays of CIFAR-10; labels are in the order of torchvision's class names.

    ``data_dir`` holds cifar-10-batches-py, or is that folder, and is only read. Without it the data lies in
    ``$XDG_CACHE_HOME/kd_trainable/cifar10`` (default ``~/.cache``), and is downloaded to it (170 MB) where
    ``download`` allows. Raises InputError where data is missing or damaged, and where there is no network.
    """
    return read_cifar("cifar10", "CIFAR-10", CIFAR10, "labels", data_dir, download)


def read_cifar(
    dataset: str, title: str, official: Any, labels: str, data_dir: str | Path | None, download: bool
) -> ImageData:
    """A data set in CIFAR's format, of which torchvision's class ``official`` knows the files, their md5s and where
    they come from; ``labels`` is what the batches call their labels."""
    meta = official.meta["filename"]
    md5s = {**dict(official.train_list), **dict(official.test_list), meta: official.meta["md5"]}
    fetch = partial(_fetch, official)
    folder, _ = files_of(Published(dataset, title, official.url, official.base_folder, md5s, fetch), data_dir, download)
    train, test = (
        joined([read_batch(folder / name, labels) for name, _ in files])
        for files in (official.train_list, official.test_list)
    )
    return ImageData(
        name=dataset,
        train_images=train[0],
        train_labels=train[1],
        test_images=test[0],
        test_labels=test[1],
        classes=tuple(read_pickle(folder / meta)[official.meta["key"]]),
        normalizations=normalizations(dataset, train[0]),
        provenance={"source": official.url, "torchvision": torchvision.__version__, **md5s},
    )


def _fetch(official: Any, folder: Path) -> None:
    """torchvision unpacks only an archive whose md5 is the known one."""
    with warnings.catch_warnings():  # torchvision before 0.29 names no filter; this archive is known by its md5
        warnings.filterwarnings("ignore", message="Python 3.14 will, by default, filter", category=DeprecationWarning)
        download_and_extract_archive(official.url, str(folder), filename=official.filename, md5=official.tgz_md5)
