"""The held-out validation split: fixed for ever, so that it can be chosen on and named without being stored."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

_SPLIT_VERSION = 1  # raised when a change alters which images are held out
_LARGEST = 5_000


def holdout(labels: Int64[np.ndarray, " N"], classes: int) -> tuple[Int64[np.ndarray, " T"], Int64[np.ndarray, " V"]]:
    """(training indices, validation indices), both ascending; a function of the labels alone.

    min(5,000, 10 %) of the images are held out, each class in proportion: every class gets the whole part of its
    share, and the largest remainders (of equal ones, the lower class) get one more, so that the total is exact.
    """
    held = np.zeros(len(labels), dtype=bool)
    # Raw bits, since numpy promises those for ever and the numbers that its Generator makes of them not (NEP 19).
    keys = np.random.PCG64(np.random.SeedSequence([_SPLIT_VERSION, len(labels)])).random_raw(len(labels))
    for label, quota in enumerate(_quotas(labels, classes)):
        members = np.flatnonzero(labels == label)
        held[members[np.argsort(keys[members], kind="stable")[:quota]]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def _quotas(labels: Int64[np.ndarray, " N"], classes: int) -> Int64[np.ndarray, " K"]:
    """How many images of each class are held out, in whole numbers throughout."""
    total = min(_LARGEST, len(labels) // 10)
    counts = np.bincount(labels, minlength=classes)
    quotas, remainders = np.divmod(counts * total, max(len(labels), 1))
    quotas[np.argsort(-remainders, kind="stable")[: total - quotas.sum()]] += 1
    return quotas
