"""Which fields of a spec tell cells apart, each once: a field that says nothing that others do not is no field."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.stats.cells import DISTILLATION, KEY

FIRST = ("method", "mode", "temperature", "alpha")
ORDER = tuple(dict.fromkeys([*FIRST, *DISTILLATION, *KEY]))


BINS = 4  # levels of a number that a searcher drew


def swept(table: pd.DataFrame) -> list[str]:
    """The fields in which these cells differ, in the order of ``ORDER``.

    Of fields that say the same, the first: the mode of cells whose methods all have their own tells nothing new.
    """
    return list(levels_of(table))


def levels_of(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """The fields of ``swept`` with the level of each cell, numbered from 0; a missing value is a level too.

    Numbers of which two fields or more have another one in every cell are draws of a searcher: they count by their
    quarter, since with a level each the first would say all that there is.
    """
    codes = {name: pd.factorize(table[name].astype("string").fillna(""))[0] for name in ORDER}
    differing = {name: levels for name, levels in codes.items() if len(levels) and levels.max() > 0}
    drawn = [name for name in differing if _all_differ(table[name])]
    if len(drawn) > 1:
        differing |= {name: _quarters(table[name]) for name in drawn}
    found: dict[str, np.ndarray] = {}
    design, rank = np.ones((len(table), 1)), 1
    for name, levels in differing.items():
        wider = np.concatenate([design, indicators(levels)], axis=1)
        told = int(np.linalg.matrix_rank(wider))
        if told > rank:
            found[name] = levels
            design, rank = wider, told
    return found


def indicators(levels: np.ndarray) -> np.ndarray:
    """[N] -> [N, levels]: 1 where a level is had."""
    return np.equal.outer(levels, np.arange(levels.max() + 1)).astype(np.float64)


def _all_differ(values: pd.Series) -> bool:
    known = values.dropna()
    return pd.api.types.is_numeric_dtype(values) and len(known) > 2 * BINS and known.is_unique


def _quarters(values: pd.Series) -> np.ndarray:
    quarters = pd.qcut(values.astype("float64"), BINS, labels=False)
    return pd.factorize(quarters.fillna(-1))[0]
