"""The batch files of CIFAR and downsampled ImageNet: a pickled dict, or an npz, of pixel rows and labels.

A pickle can run code as it is read. These hold numpy arrays, lists, numbers and strings, so nothing else is built.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from kd_trainable.vocabulary import InputError

Split = tuple[UInt8[np.ndarray, "_ 3 32 32"], Int64[np.ndarray, " _"]]


def _latin1(text: str, encoding: str) -> bytes:
    """What protocol 2 calls to build bytes, held to the one encoding it needs."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"it encodes as {encoding!r}")
    return text.encode("latin1")


# numpy's own rebuilders, under the names they had in numpy 1 and have in numpy 2.
_ARRAY, _BUFFER = np.zeros(1).__reduce__()[0], np.zeros(1).__reduce_ex__(5)[0]
_BUILDERS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _ARRAY for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _BUFFER for core in ("core", "_core")},
}


class _ArraysOnly(pickle.Unpickler):
    """Overriding this method is the way that pickle offers to say what may be built."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _BUILDERS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no part of an array")
        return _BUILDERS[module, name]


def read_pickle(path: Path) -> dict[str, Any]:
    """The dict in a pickle of arrays, lists, numbers and strings. Raises InputError for anything else."""
    try:
        with path.open("rb") as file:
            found = _ArraysOnly(file, encoding="latin1").load()
    except Exception as error:  # damaged pickles raise what they like
        raise InputError(f"data_dir: {path} cannot be read as a pickle of arrays ({_words(error)})") from None
    if not isinstance(found, dict):
        raise InputError(f"data_dir: {path} holds a {type(found).__name__}; allowed: a dict of arrays")
    return found


def read_batch(path: Path, labels: str = "labels") -> Split:
    """Images and labels, as stored, of a batch file: an npz by its suffix, else a pickle.

    Raises InputError, naming the file, for what is not uint8 ``data`` [N, 3072] with whole numbers as ``labels`` [N].
    """
    if path.suffix != ".npz":
        return _split(path, read_pickle(path), labels)
    try:
        with np.load(path, allow_pickle=False) as batch:
            return _split(path, {name: batch[name] for name in ("data", labels) if name in batch}, labels)
    except InputError:
        raise
    except Exception as error:  # zip, zlib and numpy each have their own
        raise InputError(f"data_dir: {path} cannot be read as an npz of arrays ({_words(error)})") from None


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


def _array(values: Any) -> np.ndarray:
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


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
