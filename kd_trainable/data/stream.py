"""The deterministic stream: which image comes when, and in which view, by (data seed, epoch, index) alone.

numpy promises the raw bits of PCG64 and SeedSequence for ever, on every machine, and the numbers that its Generator
makes of them not (NEP 19): so everything here is made from raw bits, with integer arithmetic.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64, UInt64

STREAM_VERSION = 1  # raised when a change alters any number below: kept logits of another version are not found

_ORDER, _VIEWS = 0, 1  # what the bits are for; a new use takes a new number, so that it disturbs none of the others


def epoch_order(data_seed: int, epoch: int, images: int) -> Int64[np.ndarray, " N"]:
    """The permutation of 0..N-1 in which the epoch visits the images. Seed and epoch are not negative."""
    return np.argsort(_bits(_ORDER, data_seed, epoch, images), kind="stable").astype(np.int64, copy=False)


def epoch_views(data_seed: int, epoch: int, images: int, views: int) -> Int64[np.ndarray, " N"]:
    """Entry i is the view, 0..views-1, in which the epoch shows image i, whenever it comes.

    Uniform to within views / 2^64, the excess of the low residues of a 64-bit number.
    """
    return (_bits(_VIEWS, data_seed, epoch, images) % np.uint64(views)).astype(np.int64)


def _bits(purpose: int, data_seed: int, epoch: int, count: int) -> UInt64[np.ndarray, " N"]:
    entropy = np.random.SeedSequence([STREAM_VERSION, purpose, data_seed, epoch])
    return np.random.PCG64(entropy).random_raw(count)
