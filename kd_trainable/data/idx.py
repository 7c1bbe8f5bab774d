"""The idx format of MNIST and its kin (http://yann.lecun.com/exdb/mnist/), gzipped or not."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from kd_trainable.data.files import Found
from kd_trainable.vocabulary import InputError

LARGEST = 1 << 30  # bytes, unpacked; the largest published file has 98 MB
Arrays = tuple[
    UInt8[np.ndarray, "N 1 28 28"], Int64[np.ndarray, " N"], UInt8[np.ndarray, "M 1 28 28"], Int64[np.ndarray, " M"]
]


def read_all(found: Found) -> Arrays:
    """Images, labels, test images and test labels, of four files in this order. Raises InputError for damaged ones."""
    images, labels, test_images, test_labels = (read_idx(path) for path in found.paths())
    return images[:, None], labels.astype(np.int64), test_images[:, None], test_labels.astype(np.int64)


def read_idx(path: Path) -> UInt8[np.ndarray, "..."]:
    """The array of bytes in an idx file, of the shape that it states; a view of what was read, so not writable.

    The file begins with 0, 0, the type (8: unsigned bytes) and the number of dimensions; then each dimension, as a
    big-endian 32-bit number; then the bytes.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"data_dir: {path} cannot be read ({error})") from None
    if len(content) > LARGEST:
        raise InputError(f"data_dir: {path} holds more than {LARGEST} bytes; allowed: up to so many, unpacked")
    dimensions = content[3] if content[:3] == b"\0\0\x08" and len(content) > 3 else 0
    if not dimensions or len(content) < 4 + 4 * dimensions:
        raise InputError(f"data_dir: {path} is no idx file of unsigned bytes")
    shape = tuple(map(int, np.frombuffer(content, ">u4", dimensions, offset=4)))
    head = 4 + 4 * dimensions
    if len(content) - head != math.prod(shape):
        raise InputError(
            f"data_dir: {path} holds {len(content) - head} bytes; must be {math.prod(shape)}, as it says itself"
        )
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)
