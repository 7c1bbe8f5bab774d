"""The batch files of CIFAR and downsampled ImageNet: a pickled dict, or an npz, of pixel rows and labels."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from kd_trainable.data.pickles import read_pickle, words
from kd_trainable.vocabulary import InputError

Split = tuple[UInt8[np.ndarray, "_ 3 32 32"], Int64[np.ndarray, " _"]]
LARGEST = 1 << 30  # bytes of one array in an npz; the largest published batch has 394 MB


def read_batch(path: Path, labels: str = "labels") -> Split:
    """Images and labels, as stored, of a batch file: an npz by its suffix, else a pickle.

    Raises InputError, naming the file, for what is not uint8 ``data`` [N, 3072] with whole numbers as ``labels`` [N].
    """
    if path.suffix != ".npz":
        return _split(path, read_pickle(path), labels)
    try:
        _require_room(path)
        with np.load(path, allow_pickle=False) as batch:
            return _split(path, {name: batch[name] for name in ("data", labels) if name in batch}, labels)
    except InputError:
        raise
    except Exception as error:  # zip, zlib and numpy each have their own
        raise InputError(f"data_dir: {path} cannot be read as an npz of arrays ({words(error)})") from None


def _split(path: Path, batch: Mapping[str, Any], labels: str) -> Split:
    for name in ("data", labels):
        if name not in batch:
            has = ", ".join(map(str, batch)) or "nothing"
            raise InputError(f"data_dir: {path} has no {name!r}; it has {has}")
    pixels, numbers = batch["data"], _array(batch[labels])
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3 * 32 * 32,):
        found = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise InputError(f"data_dir: {path}: data is {found}; allowed: uint8 [N, 3072]")
    if numbers.dtype.kind not in "iu" or numbers.shape != pixels.shape[:1]:
        found = f"{numbers.dtype} {numbers.shape}"
        raise InputError(f"data_dir: {path}: {labels} are {found}; allowed: whole numbers [{len(pixels)}]")
    return pixels.reshape(-1, 3, 32, 32), numbers.astype(np.int64)


def _require_room(path: Path) -> None:
    """A zip of zeros is a thousandth of what it unpacks to."""
    with zipfile.ZipFile(path) as archive:
        largest = max((part.file_size for part in archive.infolist()), default=0)
    if largest > LARGEST:
        raise InputError(f"data_dir: {path} unpacks to {largest} bytes; allowed: up to {LARGEST}")


def _array(values: Any) -> np.ndarray:
    if isinstance(values, list) and any(isinstance(value, list | tuple | dict) for value in values):
        return np.empty(len(values), dtype=object)  # of no numbers; lists in lists may be endless
    try:
        return np.array(values)
    except ValueError:  # lists of unequal lengths
        return np.array(values, dtype=object)


def joined(splits: list[Split]) -> Split:
    """The splits as one, in order; empties the list, so that never much more than one copy is held in memory."""
    labels = np.concatenate([numbers for _, numbers in splits])
    images = np.empty((len(labels), 3, 32, 32), np.uint8)  # takes memory only as it is written to
    at = 0
    while splits:
        part, _ = splits.pop(0)
        images[at : at + len(part)] = part
        at += len(part)
    return images, labels
