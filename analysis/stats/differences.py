"""What each cell gained over its baseline, with intervals that stay honest for few seeds and many cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from analysis.stats.blocked import Fit, Floats, chance_of, critical
from analysis.stats.cells import BLOCK, COMPARABLE, cells, is_control
from analysis.stats.pool import Pool, pooled

COLUMNS = {
    "difference": "Float64",
    "low": "Float64",
    "high": "Float64",
    "family_low": "Float64",
    "family_high": "Float64",
    "p": "Float64",
    "p_family": "Float64",
    "df": "Int64",
    "residual_sd": "Float64",
    "comparisons": "Int64",
    "pooled": "boolean",
}


Values = dict[str, Any]
"""by column of ``COLUMNS``"""


class Contrast(NamedTuple):
    """A cell less its baseline: its position in the table, the estimate, and its variance in units of sigma²."""

    cell: int
    estimate: float
    factor: float


class Alone(NamedTuple):
    """A cell on its own paired differences: its position, their mean, its standard error, their number less 1."""

    cell: int
    estimate: float
    error: float
    freedom: int


def differences(runs: pd.DataFrame, metric: str = "test_accuracy_last", level: float = 0.95) -> pd.DataFrame:
    """The table of ``cells(runs, metric)``, and beside each distilled cell its difference to the baseline.

    The model is y = cell + seed + error in each block (cells that trained alike but for the teacher), with one error
    variance for all blocks of one data set, student, budget and protocol. Few seeds then still leave many degrees of
    freedom. Missing where there is no baseline, or no spread is known (one seed).

    difference: least squares; with the same seeds throughout the mean of the differences paired by seed
    low, high: ``level`` interval of this one difference (Student's t); p: of no difference, two-sided
    family_low, family_high: intervals that hold all at once with probability ``level`` (Dunnett's comparison of many
      with one, where the seeds are complete), over the ``comparisons`` of the family: the distilled cells of one data
      set, student, budget and protocol; negative controls are a family of their own. p_family: likewise
    df, residual_sd: of the residual that was used
    pooled: False for a cell whose spread differs from the others' by more than luck (F test, 1 % over all cells), as
      when some seeds diverge, and for all cells where their spreads differ among one another (Bartlett's test, 1 %), or
      a baseline's is larger than theirs (F test, 5 %: every difference has it in it), both from three seeds on: such a
      cell stands on its own paired differences, with their n - 1 degrees of freedom, and leaves the pool.
    """
    return compared(cells(runs, metric), level)


def compared(table: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """``differences`` of a table of cells."""
    groups = table.groupby([*COMPARABLE], dropna=False, sort=False)
    known = {place: values for _, group in groups for place, values in _group(group, level)}
    rows = [known.get(place, {}) for place in table.index]
    return table.join(pd.DataFrame(rows, table.index, [*COLUMNS]).astype(COLUMNS))


def _group(group: pd.DataFrame, level: float) -> Iterator[tuple[int, Values]]:
    """What is known of each distilled cell of one data set, student, budget and protocol, by position."""
    apart = is_control(group)
    for control in (False, True):
        if (apart == control)[~group["is_baseline"]].any():
            yield from _family(group[group["is_baseline"] | (apart == control)], level)


def _family(group: pd.DataFrame, level: float) -> Iterator[tuple[int, Values]]:
    pool, alone = pooled(group)
    pairs = zip(pool.fits, pool.blocks, strict=True)
    based = [(fitted, block) for fitted, block in pairs if group.at[block[0], "is_baseline"]]
    family = [contrast for fitted, block in based for contrast in _contrasts(fitted, block)]
    apart = _paired(group, alone)
    count = len(family) + len(apart)
    if family:
        yield from _together(family, pool, count, level)
    for own in apart:
        yield own.cell, _by_itself(own, count, level)


def _contrasts(fitted: Fit, block: list[int]) -> Iterator[Contrast]:
    """Of every other cell of a block with its first."""
    for i in range(1, len(block)):
        if fitted.reached[0, i]:
            spread = fitted.unscaled
            factor = spread[i, i] + spread[0, 0] - 2 * spread[0, i]
            yield Contrast(block[i], fitted.estimates[i] - fitted.estimates[0], float(factor))


def _together(family: list[Contrast], pool: Pool, count: int, level: float) -> Iterator[tuple[int, Values]]:
    """The intervals of contrasts that share the pool's residual. Where that is unknown, or 0, there are none."""
    known = pool.freedom > 0 and pool.squares > 0
    sd = (pool.squares / pool.freedom) ** 0.5 if known else np.nan
    if known:
        correlation = _correlation(family, pool)
        share = len(family) / count  # Šidák: those that stand alone take the rest of the level
        seen = np.array([c.estimate / (sd * c.factor**0.5) for c in family])
        together = critical(correlation, pool.freedom, level**share)
        luck = 1 - (1 - chance_of(correlation, pool.freedom, seen)) ** (1 / share)
    for i, contrast in enumerate(family):
        values: Values = {"difference": contrast.estimate, "comparisons": count, "pooled": True}
        if known:
            error = sd * contrast.factor**0.5
            values |= _intervals(contrast.estimate, error, pool.freedom, together, level)
            values |= {"p_family": max(luck[i], values["p"]), "residual_sd": sd}
        yield contrast.cell, values


def _by_itself(own: Alone, count: int, level: float) -> Values:
    """The intervals of a cell that stands on its own paired differences; none of one seed, or of no spread at all."""
    values: Values = {"difference": own.estimate, "comparisons": count, "pooled": False}
    if own.freedom < 1 or own.error == 0:
        return values
    together = float(stats.t.isf((1 - level ** (1 / count)) / 2, own.freedom))
    values |= _intervals(own.estimate, own.error, own.freedom, together, level)
    # as every residual_sd, of one run: a difference of two has twice its variance
    sd = own.error * ((own.freedom + 1) / 2) ** 0.5
    return values | {"p_family": 1 - (1 - values["p"]) ** count, "residual_sd": sd}


def _intervals(estimate: float, error: float, freedom: int, together: float, level: float) -> Values:
    alone = float(stats.t.isf((1 - level) / 2, freedom))
    return {
        "low": estimate - alone * error,
        "high": estimate + alone * error,
        "family_low": estimate - together * error,
        "family_high": estimate + together * error,
        "p": float(2 * stats.t.sf(abs(estimate / error), freedom)),
        "df": freedom,
    }


def _paired(group: pd.DataFrame, alone: list[int]) -> list[Alone]:
    """The cells that stand alone and have a seed in common with their baseline."""
    block = group.groupby([*BLOCK], dropna=False).ngroup()
    by_seed: dict[Any, Any] = dict(zip(group.index, group["by_seed"], strict=True))
    references = {block[place]: by_seed[place] for place in group.index[group["is_baseline"]]}
    found = []
    for place in alone:
        own, reference = by_seed[place], references.get(block[place], {})
        gains = np.array([own[seed] - reference[seed] for seed in own if seed in reference])
        if len(gains):
            error = float(gains.std(ddof=1) / len(gains) ** 0.5) if len(gains) > 1 else 0.0
            found.append(Alone(place, float(gains.mean()), error, len(gains) - 1))
    return found


def _correlation(family: list[Contrast], pool: Pool) -> Floats:
    """Of the contrasts' estimates: within a block they share the baseline; between blocks nothing."""
    places = {cell: (b, i) for b, block in enumerate(pool.blocks) for i, cell in enumerate(block)}
    where = [places[c.cell] for c in family]
    result = np.eye(len(family))
    for b, fitted in enumerate(pool.fits):
        inside = [k for k, (block, _) in enumerate(where) if block == b]
        at = [where[k][1] for k in inside]
        spread = fitted.unscaled
        covariance = spread[np.ix_(at, at)] - spread[at, 0][:, None] - spread[0, at][None, :] + spread[0, 0]
        scale = np.sqrt(np.diag(covariance))
        result[np.ix_(inside, inside)] = covariance / np.outer(scale, scale)
    return result
