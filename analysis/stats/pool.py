"""Whose spread is usual: the cells that share one residual, and those that stand on their own seeds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from analysis.stats.blocked import Fit, fit, most_apart, resolution, uneven
from analysis.stats.cells import BLOCK

SEARCHED = 4000  # cells looked at in all while those that stand apart are sought
LENIENT = 0.05  # the level at which a baseline is taken to spread more than its cells
FEWEST = 3  # seeds, from which spreads are compared with one another
APART = 0.01  # the level at which a cell's spread is said to differ: rarely, since leaving out sharpens the rest


class Pool(NamedTuple):
    """The cells that share one residual: positions by block, their fits, and what they add up to."""

    blocks: list[list[int]]
    fits: list[Fit]
    squares: float
    freedom: int


def pooled(group: pd.DataFrame) -> tuple[Pool, list[int]]:
    """The fits of a family's blocks, less the cells whose spread stands apart; and these.

    At most half of the cells; where more stand apart, or the spreads of the rest still differ, every cell does.
    """
    group = _in_blocks(group)
    # two seeds say too little of a spread, and a cell that stands on one difference of them says nothing at all
    judged = bool(group["by_seed"].map(len).median() >= FEWEST)
    most = min(len(group) // 2, max(3, SEARCHED // max(1, len(group))))
    wild = _wild(group, judged, most)
    away = wild[:most]
    pool = _pool(group.drop(index=away))
    if judged and (len(wild) > most or _baseline_apart(pool, group) or _uneven(pool, group)):
        everyone = list(group.index[~group["is_baseline"] & (group["n"] > 0)])
        return _pool(group.drop(index=everyone)), everyone
    return pool, away


def _in_blocks(group: pd.DataFrame) -> pd.DataFrame:
    """What is needed of the cells, with their block; its baseline first, so that its place is known."""
    block = group.groupby([*BLOCK], dropna=False, sort=False).ngroup()
    cells = group[["by_seed", "is_baseline", "n"]].assign(block=block)
    return cells.sort_values("is_baseline", ascending=False, kind="stable")


def _wild(group: pd.DataFrame, judged: bool, most: int) -> list[int]:
    """The cells whose spread stands apart; where they are more than ``most``, one more than that.

    Those that spread most are taken away one by one, and left away up to the last that stood apart from the rest
    (generalised ESD, Rosner 1983), since several wild cells hide one another; unless ``judged``, up to the first that
    did not.
    """
    away: list[int] = []
    apart = 0
    while len(away) <= most and (found := _widest(group.drop(index=away))) is not None:
        place, stands_apart = found
        if not stands_apart and not judged:
            break
        away.append(place)
        apart = len(away) if stands_apart else apart
    return away[:apart]


def _widest(group: pd.DataFrame) -> tuple[int, bool] | None:
    """The distilled cell that spreads most beside the others, and whether by more than luck, if that can be told."""
    pool = _pool(group)
    places = [place for block in pool.blocks for place in block]
    if not places:
        return None
    own = [square for fitted in pool.fits for square in fitted.own_squares]
    freedom = [count for fitted in pool.fits for count in fitted.own_freedom]
    distilled = np.where(group.loc[places, "is_baseline"], 0, freedom)
    found = most_apart(np.array(own), distilled, pool.squares, pool.freedom, APART)
    return None if found is None else (places[found[0]], found[1])


def _baseline_apart(pool: Pool, group: pd.DataFrame) -> bool:
    """Whether a baseline spreads more than its cells: every difference has it in it, so the test is a lenient one."""
    for fitted, block in zip(pool.fits, pool.blocks, strict=True):
        rest = pool.freedom - fitted.own_freedom[0]
        if group.at[block[0], "is_baseline"] and fitted.own_freedom[0] > 0 and rest > 0 and len(block) > 2:
            usual = (pool.squares - fitted.own_squares[0]) / rest
            ratio = fitted.own_squares[0] / fitted.own_freedom[0] / usual if usual > 0 else 0.0
            if stats.f.sf(ratio, fitted.own_freedom[0], rest) < LENIENT:
                return True
    return False


def _uneven(pool: Pool, group: pd.DataFrame) -> bool:
    """Whether spreads differ: what the model leaves of each cell, or each cell about its own mean.

    The first is blurred by wild cells, through the seeds' effects that it takes from them, the second by seeds that
    move all cells alike, which make the test milder. Half of the level for each.
    """
    by_seed = group.loc[[place for block in pool.blocks for place in block], "by_seed"]
    if by_seed.empty:
        return False
    values = [np.array([*values.values()]) for values in by_seed]
    about = np.array([((value - value.mean()) ** 2).sum() for value in values])
    freely = np.array([len(value) - 1 for value in values])
    own = np.concatenate([fitted.own_squares for fitted in pool.fits])
    freedom = np.concatenate([fitted.own_freedom for fitted in pool.fits])
    least = resolution(np.concatenate(values)) ** 2 / 2  # two values a step apart
    return uneven(own, freedom, APART / 2, least) or uneven(about, freely, APART / 2, least)


def _pool(group: pd.DataFrame) -> Pool:
    blocks, fits = [], []
    for _, block in group[group["by_seed"].map(len) > 0].groupby("block", sort=False):
        values = [(i, seed, value) for i, by_seed in enumerate(block["by_seed"]) for seed, value in by_seed.items()]
        cell, seed, value = (np.array(column) for column in zip(*values, strict=True))
        blocks.append(list(block.index))
        fits.append(fit(cell, np.unique(seed, return_inverse=True)[1], value.astype(np.float64)))
    return Pool(blocks, fits, sum(f.squares for f in fits), sum(f.freedom for f in fits))
