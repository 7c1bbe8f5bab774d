"""How many seeds it takes to see a difference of a given size."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from scipy import stats

MOST = 10_000


def seeds_needed(
    sd: float, differences: Iterable[float], comparisons: int = 1, power: float = 0.8, level: float = 0.95
) -> pd.DataFrame:
    """One row a difference: the fewest seeds a cell with which it is found with probability ``power``.

    ``sd`` is that of a run about its setting (``residual_sd`` of ``differences``), in the unit of ``differences``. The
    test is the one of ``analysis.stats.differences``: one of ``comparisons`` cells against a baseline on the same
    seeds, the residual pooled over all, two-sided, by Šidák's bound on their joint level, which asks for a little more
    than Dunnett's exact one. Columns difference, seeds (missing beyond ``MOST``). Raises ValueError unless sd > 0.
    """
    if not sd > 0:
        raise ValueError(f"sd: {sd} is not allowed; must be > 0")
    sizes = list(differences)
    found = [_fewest(abs(size) / sd, comparisons, power, level) for size in sizes]
    return pd.DataFrame({"difference": sizes, "seeds": pd.array(found, dtype="Int64")})


def power_of(ratio: float, seeds: int, comparisons: int = 1, level: float = 0.95) -> float:
    """The probability to find a difference of ``ratio`` sd of a run with so many seeds."""
    freedom = comparisons * (seeds - 1)
    chance = 1 - level ** (1 / comparisons)
    limit = stats.t.isf(chance / 2, freedom)
    away = ratio * (seeds / 2) ** 0.5
    return float(stats.nct.sf(limit, freedom, away) + stats.nct.cdf(-limit, freedom, away))


def _fewest(ratio: float, comparisons: int, power: float, level: float) -> int | None:
    low, high = 1, 2
    while power_of(ratio, high, comparisons, level) < power:
        low, high = high, 2 * high
        if low > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if power_of(ratio, middle, comparisons, level) < power:
            low = middle
        else:
            high = middle
    return high if high <= MOST else None
