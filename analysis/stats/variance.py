"""Where the spread between runs comes from: the seed's share beside temperature's, alpha's, mode's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.stats.blocked import Floats, Ints, fit
from analysis.stats.cells import COMPARABLE, cells, far_off
from analysis.stats.swept import coded, swept

SEED, REST, INTERACTIONS = "seed", "seed x setting", "interactions"
LUCK = (SEED, REST)
COLUMNS = ("source", "df", "sum_of_squares", "share", "sd", "p", "runs", "left_out")


def variance_shares(runs: pd.DataFrame, metric: str = "test_accuracy_last") -> pd.DataFrame:
    """Analysis of variance of the distilled, finished runs; a few rows for each data set, student, budget and protocol.

    source: every swept field; ``interactions`` of them, and what a slope leaves; ``seed``, what a seed does to all
      settings alike; ``seed x setting``, what it does to each, which is what is left. These two together are luck.
    df, sum_of_squares: type II, each field beside all the others; a number with more values than half of the cells, as
      a searcher draws it, is a slope. p: of no effect (F test against the rest)
    share: of the variance between runs, by epsilon squared: less what luck alone would give, never below 0; adds to 1
    sd: the same as a standard deviation, a fraction of 1
    runs, left_out: how many runs this rests on, and of how many cells that have diverged (``far_off``) it does not
    No rows where nothing was swept, or no cell has two seeds: luck cannot be told from settings then.
    """
    table = cells(runs, metric)
    tried = table[~table["is_baseline"] & (table["n"] > 0) & (table["control"].fillna("none") == "none")]
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
    without, rank = _residual([_levels(cell)], value)
    squares[SEED] = (without - whole.squares, len(value) - whole.freedom - rank)
    squares[REST] = (whole.squares, whole.freedom)
    return [row | {"runs": len(value), "left_out": int(off.sum())} for row in _shares(squares, value)]


def _factors(group: pd.DataFrame, cell: Ints) -> dict[str, Floats]:
    """The swept fields as columns of a linear model, by run."""
    return {name: coded(group[name])[cell] for name in swept(group)}


def _main_effects(
    factors: dict[str, Floats], seed: Ints, value: Floats, whole: tuple[float, int]
) -> dict[str, tuple[float, int]]:
    """(sum of squares, df) of every factor beside the others, and of what they do only together."""
    seeds = _levels(seed)
    main, rank = _residual([seeds, *factors.values()], value)
    found = {}
    for name in factors:
        others = [columns for other, columns in factors.items() if other != name]
        squares, less = _residual([seeds, *others], value)
        found[name] = (squares - main, rank - less)
    if whole[1] > rank:
        found[INTERACTIONS] = (main - whole[0], whole[1] - rank)
    return {name: effect for name, effect in found.items() if effect[1] > 0}


def _levels(codes: Ints) -> Floats:
    return np.equal.outer(codes, np.arange(codes.max() + 1)).astype(np.float64)


def _residual(factors: list[Floats], value: Floats) -> tuple[float, int]:
    """Sum of squares and rank of the additive model of these columns."""
    design = np.concatenate([np.ones((len(value), 1)), *factors], axis=1)
    solved, _, rank, _ = np.linalg.lstsq(design, value, rcond=1e-10)
    left = value - design @ solved
    return float(left @ left), int(rank)


def _shares(squares: dict[str, tuple[float, int]], value: Floats) -> list[dict[str, Any]]:
    rest, freedom = squares[REST]
    noise = rest / freedom
    total = sum(square for square, _ in squares.values())
    real = {name: max(0.0, square - df * noise) for name, (square, df) in squares.items() if name != REST}
    real[REST] = max(0.0, total - sum(real.values()))
    rows = [
        {
            "source": name,
            "df": df,
            "sum_of_squares": square,
            "share": real[name] / total,
            "sd": (real[name] / total * float(value.var(ddof=1))) ** 0.5,
            "p": np.nan if name == REST else float(stats.f.sf(square / df / noise, df, freedom)),
        }
        for name, (square, df) in squares.items()
    ]
    return sorted(rows, key=lambda row: -row["share"])
