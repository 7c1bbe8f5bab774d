"""Where the spread between runs comes from: the seed's share beside temperature's, alpha's, mode's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.stats.blocked import EXACT, Floats, Ints, fit
from analysis.stats.cells import COMPARABLE, cells, far_off, is_control
from analysis.stats.swept import indicators, levels_of

SEED, REST, INTERACTIONS, JOINT = "seed", "seed x setting", "interactions", "not separable"
LUCK = (SEED, REST)
COLUMNS = ("source", "df", "sum_of_squares", "share", "sd", "p", "runs", "left_out")


def variance_shares(runs: pd.DataFrame, metric: str = "test_accuracy_last") -> pd.DataFrame:
    """Analysis of variance of the distilled, finished runs; a few rows for each data set, student, budget and protocol.

    source: every swept field; ``interactions`` of them (and, of numbers that a searcher drew, what their quarters
      leave); ``not separable``, what fields do that were not varied independently; ``seed``, what a seed does to all
      settings alike; ``seed x setting``, what it does to each, which is what is left. These two together are luck.
    df, sum_of_squares: type II, each field beside all the others. p: of no effect (F test against the rest)
    sd: the standard deviation that a source brings into a run's accuracy, a fraction of 1: of a field over the values
      that were run, of seeds over all seeds (variance components); share: its square's, of their sum
    runs, left_out: how many runs this rests on, and of how many cells far below the others (``far_off``) it does not
    No rows where nothing was swept, or no cell has two seeds: luck cannot be told from settings then.
    """
    return variance_shares_of(cells(runs, metric))


def variance_shares_of(table: pd.DataFrame) -> pd.DataFrame:
    """``variance_shares`` of a table of cells."""
    tried = table[~table["is_baseline"] & (table["n"] > 0) & ~is_control(table)]
    found: list[dict[str, Any]] = []
    for key, group in tried.groupby([*COMPARABLE], dropna=False, sort=True):
        where = dict(zip(COMPARABLE, key, strict=True))
        found += [where | row for row in _analysed(group)]
    return pd.DataFrame(found, columns=[*COMPARABLE, *COLUMNS])


def _analysed(group: pd.DataFrame) -> list[dict[str, Any]]:
    off = far_off(group["mean"])
    group = group[~off]
    values = [(i, s, value) for i, by_seed in enumerate(group["by_seed"]) for s, value in by_seed.items()]
    if len(group) < 2:
        return []
    cell, named, value = (np.array(column) for column in zip(*values, strict=True))
    seed = np.unique(named, return_inverse=True)[1]
    whole = fit(cell, seed, value)
    if whole.freedom < 1 or whole.squares == 0:
        return []
    squares = _main_effects(_factors(group, cell), seed, value, (whole.squares, len(value) - whole.freedom))
    without, rank = _residual([indicators(cell)], value)
    squares[SEED] = (without - whole.squares, len(value) - whole.freedom - rank)
    squares[REST] = (whole.squares, whole.freedom)
    rows = _shares(squares, len(value), len(value) / (seed.max() + 1))
    return [row | {"runs": len(value), "left_out": int(off.sum())} for row in rows]


def _factors(group: pd.DataFrame, cell: Ints) -> dict[str, Floats]:
    """The swept fields as columns of a linear model, by run."""
    return {name: indicators(levels)[cell] for name, levels in levels_of(group).items()}


def _main_effects(
    factors: dict[str, Floats], seed: Ints, value: Floats, whole: tuple[float, int]
) -> dict[str, tuple[float, int]]:
    """(sum of squares, df) of every factor beside the others, of what cannot be told apart, and of what is left."""
    seeds = indicators(seed)
    none, least = _residual([seeds], value)
    main, rank = _residual([seeds, *factors.values()], value)
    found = {}
    for name in factors:
        others = [columns for other, columns in factors.items() if other != name]
        squares, less = _residual([seeds, *others], value)
        found[name] = (squares - main, rank - less)
    apart, freedom = (sum(column) for column in zip(*found.values(), strict=True))
    if none - main - apart > EXACT * (none - main):
        found[JOINT] = (none - main - apart, max(0, rank - least - freedom))
    if whole[1] > rank:
        found[INTERACTIONS] = (main - whole[0], whole[1] - rank)
    return {name: effect for name, effect in found.items() if effect[1] > 0 or name == JOINT}


def _residual(factors: list[Floats], value: Floats) -> tuple[float, int]:
    """Sum of squares and rank of the additive model of these columns."""
    design = np.concatenate([np.ones((len(value), 1)), *factors], axis=1)
    solved, _, rank, _ = np.linalg.lstsq(design, value, rcond=1e-10)
    left = value - design @ solved
    return float(left @ left), int(rank)


def _shares(squares: dict[str, tuple[float, int]], runs: int, cells_a_seed: float) -> list[dict[str, Any]]:
    noise = squares[REST][0] / squares[REST][1]
    variance = {name: max(0.0, square - df * noise) / runs for name, (square, df) in squares.items()}
    variance[REST] = noise
    square, df = squares[SEED]
    variance[SEED] = max(0.0, square / df - noise) / cells_a_seed if df else 0.0
    total = sum(variance.values())
    rows = [
        {
            "source": name,
            "df": df,
            "sum_of_squares": square,
            "share": variance[name] / total,
            "sd": variance[name] ** 0.5,
            "p": np.nan if name == REST or not df else float(stats.f.sf(square / df / noise, df, squares[REST][1])),
        }
        for name, (square, df) in squares.items()
    ]
    return sorted(rows, key=lambda row: -row["share"])
