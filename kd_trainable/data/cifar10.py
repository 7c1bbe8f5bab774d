"""CIFAR-10 (Krizhevsky 2009), through torchvision: 50,000 and 10,000 colour images of 32 x 32 in 10 classes."""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torchvision
from torchvision.datasets import CIFAR10
from torchvision.datasets.utils import download_and_extract_archive

from kd_trainable.data import DATASETS
from kd_trainable.data.images import ImageData
from kd_trainable.vocabulary import InputError

_ADVICE = f"give --data-dir a folder that holds {CIFAR10.base_folder}"


class _Reader(CIFAR10):
    """torchvision's reader, pointed at the folder of the batch files itself, whose files are known to be whole."""

    base_folder = ""

    def _check_integrity(self) -> bool:
        return True


def cifar10(data_dir: str | Path | None = None, download: bool = True) -> ImageData:
    """The arrays of CIFAR-10; labels are in the order of torchvision's class names.

    ``data_dir`` holds cifar-10-batches-py, or is that folder, and is only read. Without it the data lies in
    ``$XDG_CACHE_HOME/kd_trainable/cifar10`` (default ``~/.cache``), and is downloaded to it (170 MB) where
    ``download`` allows. Raises InputError where data is missing or damaged, and where there is no network.
    """
    folder = _cache(download) if data_dir is None else _given(Path(data_dir).expanduser())
    # The batches are pickles, which can run code as they are read. It is safe because every file has just been
    # found to have its known md5: nobody can make another file with the md5 of a given one.
    train, test = (_Reader(folder, train=part) for part in (True, False))
    return ImageData(
        name="cifar10",
        train_images=_images(train),
        train_labels=np.array(train.targets, dtype=np.int64),
        test_images=_images(test),
        test_labels=np.array(test.targets, dtype=np.int64),
        classes=tuple(train.classes),
        normalizations=DATASETS["cifar10"].normalizations,
        provenance={"source": CIFAR10.url, "torchvision": torchvision.__version__, **_md5s()},
    )


def _images(reader: Any) -> Any:
    """[N, C, H, W]: torchvision's [N, H, W, C] is a view of just that, so nothing is copied."""
    return np.ascontiguousarray(reader.data.transpose(0, 3, 1, 2))


def _md5s() -> dict[str, str]:
    return {**dict(CIFAR10.train_list), **dict(CIFAR10.test_list), CIFAR10.meta["filename"]: CIFAR10.meta["md5"]}


def _problem(folder: Path) -> str | None:
    """What is wrong with the first file of ``folder`` that is not as published, or None."""
    for name, md5 in _md5s().items():
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "md5").hexdigest()
        except OSError as error:
            return f"{folder / name} cannot be read ({error.strerror})"
        if found != md5:
            return f"{folder / name} is damaged: its md5 is {found}, not {md5}"
    return None


def _given(root: Path) -> Path:
    if not root.is_dir():
        raise InputError(f"data_dir: {str(root)!r} is not a folder; {_ADVICE}")
    inner = root / CIFAR10.base_folder
    folder = inner if inner.is_dir() else root
    if not any((folder / name).exists() for name in _md5s()):
        raise InputError(f"data_dir: {str(root)!r} holds no CIFAR-10; {_ADVICE}")
    if problem := _problem(folder):
        raise InputError(f"data_dir: {problem}; {_ADVICE}, or leave it out to download")
    return folder


def _cache(download: bool) -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "kd_trainable" / "cifar10"
    folder = root / CIFAR10.base_folder
    if (problem := _problem(folder)) is None:
        return folder
    if not download:
        raise InputError(f"dataset: cifar10: {problem}, and downloading was not allowed; {_ADVICE}")
    try:
        _download(root)
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"dataset: cifar10: no download from {CIFAR10.url} to {root} ({reason}); without a network, {_ADVICE}"
        ) from error
    return folder


def _download(root: Path) -> None:
    """Fills the cache, file by file, with whole files only.

    All is fetched and unpacked in a temporary folder, which also goes when it fails or is interrupted: nothing half
    done is ever found at the next start, and two processes that download at once do not meet.
    """
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="download-", dir=root) as temporary:
        # torchvision unpacks only an archive whose md5 is the known one.
        with warnings.catch_warnings():  # torchvision before 0.29 names no filter; this archive is known by its md5
            warnings.filterwarnings(
                "ignore", message="Python 3.14 will, by default, filter", category=DeprecationWarning
            )
            download_and_extract_archive(CIFAR10.url, temporary, filename=CIFAR10.filename, md5=CIFAR10.tgz_md5)
        unpacked = Path(temporary) / CIFAR10.base_folder
        if problem := _problem(unpacked):
            raise RuntimeError(problem)
        (root / CIFAR10.base_folder).mkdir(exist_ok=True)
        for name in _md5s():
            (unpacked / name).replace(root / CIFAR10.base_folder / name)
