"""Which passes of a teacher a sweep needs, and the files they lie in: float16 arrays by image index. No torch."""

from __future__ import annotations

import hashlib
import io
import math
import re
from collections.abc import Container, Sequence
from typing import NamedTuple

import numpy as np

from kd_trainable.data import VIEWS
from kd_trainable.vocabulary import Pixels

DIGEST_SIZE = 32


class Shard(NamedTuple):
    """One teacher pass over the training split: the pixels of (seed, epoch), or of one view of every image.

    How they look is for kd_trainable.data.pixels to say. ``test``: over the test images instead, as they are.
    """

    seed: int = -1
    epoch: int = -1
    view: int = -1
    test: bool = False

    @property
    def file(self) -> str:
        """The shard's file name."""
        if self.test:
            return "test.npy"
        return f"view-{self.view:03d}.npy" if self.view >= 0 else f"seed-{self.seed}-epoch-{self.epoch:04d}.npy"

    @classmethod
    def of_file(cls, name: str) -> Shard | None:
        """The shard of the training split in a file of this name; None for any other name."""
        if found := re.fullmatch(r"view-(\d+)\.npy", name):
            return cls(view=int(found[1]))
        found = re.fullmatch(r"seed-(\d+)-epoch-(\d+)\.npy", name)
        return cls(int(found[1]), int(found[2])) if found else None


TEST = Shard(test=True)


def passes(seeds: Sequence[int], epochs: int, pixels: Pixels, there: Container[str] = ()) -> tuple[list[Shard], bool]:
    """The teacher passes that runs over these seeds and epochs need, in the order they are needed; whether a table's.

    ``there``: the files that are kept already. A full table among them serves a shorter sweep too.
    """
    table = _table(pixels)
    if uses_table(seeds, epochs, pixels) or (pixels.finite and all(shard.file in there for shard in table)):
        return table, True
    return [Shard(seed, epoch) for epoch in range(epochs) for seed in seeds], False


def uses_table(seeds: Sequence[int], epochs: int, pixels: Pixels) -> bool:
    """Whether there can be a full table of views, and it is cheaper than a pass for every seed and epoch."""
    return pixels.finite and len(seeds) * epochs >= VIEWS[pixels.augment]


def shards_of(seed: int, epoch: int, pixels: Pixels, table: bool) -> list[Shard]:
    """The shards that one epoch of one run reads."""
    return _table(pixels) if table else [Shard(seed, epoch)]


def _table(pixels: Pixels) -> list[Shard]:
    return [Shard(view=view) for view in range(VIEWS[pixels.augment])]


def encode(logits: np.ndarray) -> bytes:
    """The file of a shard, float16 [N, K]: an .npy that numpy reads, and after it the sha256 of its bytes."""
    buffer = io.BytesIO()
    np.save(buffer, logits, allow_pickle=False)
    content = buffer.getvalue()
    return content + hashlib.sha256(content).digest()


def decode(content: bytes) -> np.ndarray:
    """The inverse of ``encode``; ValueError for a file that was cut short or changed, or is no shard."""
    array, digest = content[:-DIGEST_SIZE], content[-DIGEST_SIZE:]
    if hashlib.sha256(array).digest() != digest:
        raise ValueError("not a whole shard: its digest differs")
    file = io.BytesIO(array)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("not a shard: another version of .npy")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype != np.float16 or len(shape) != 2 or fortran:
        raise ValueError(f"not a shard: {dtype} {shape}")
    if math.prod(shape) * dtype.itemsize != len(array) - file.tell():  # numpy would take the memory that it asks for
        raise ValueError(f"not a shard: {len(array) - file.tell()} bytes that say they are {dtype} {shape}")
    return np.frombuffer(array, np.float16, offset=file.tell()).reshape(shape)
