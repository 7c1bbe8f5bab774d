"""Which fields of a spec tell cells apart, each once: a field that says nothing that others do not is no field."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.stats.cells import DISTILLATION, KEY

FIRST = ("method", "mode", "temperature", "alpha")
ORDER = tuple(dict.fromkeys([*FIRST, *DISTILLATION, *KEY]))


def swept(table: pd.DataFrame) -> list[str]:
    """The fields in which these cells differ, in the order of ``ORDER``.

    Of fields that say the same, the first: the mode of cells whose methods all have their own tells nothing new.
    """
    found: list[str] = []
    design, rank = np.ones((len(table), 1)), 1
    for name in ORDER:
        columns = coded(table[name])
        if columns.shape[1] > 1:
            wider = np.concatenate([design, columns], axis=1)
            told = int(np.linalg.matrix_rank(wider))
            if told > rank:
                found.append(name)
                design, rank = wider, told
    return found


def coded(values: pd.Series) -> np.ndarray:
    """The columns [cells, levels] that a field adds to a linear model: a level each, missing values among them.

    A number that a searcher drew, with more levels than half of the cells, is a slope and whether it is missing: with
    a level each it would seem to say all that there is. One column where it does not differ.
    """
    levels = pd.factorize(values.astype("string").fillna(""))[0]
    count = int(levels.max(initial=-1)) + 1
    if 2 * count > len(values) > 3 and pd.api.types.is_numeric_dtype(values):
        missing = values.isna().to_numpy()
        numbers = values.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
        scaled = (numbers - np.nanmean(numbers)) / (np.nanstd(numbers) or 1.0)
        return np.stack([np.where(missing, 0.0, scaled), missing.astype(np.float64)], axis=1)
    return np.equal.outer(levels, np.arange(count)).astype(np.float64)
