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
        codes = pd.factorize(table[name].astype("string").fillna(""))[0]
        if len(codes) and codes.max() > 0:
            wider = np.concatenate([design, np.equal.outer(codes, np.arange(codes.max() + 1))], axis=1)
            told = int(np.linalg.matrix_rank(wider))
            if told > rank:
                found.append(name)
                design, rank = wider, told
    return found
