"""What the statistics say, in words: the seed's share, the best epoch's flattery, selecting on test, seeds needed."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.page.figures.effects import groups
from analysis.page.parts import ABSENT, Grid, Section, Text
from analysis.page.sweep import Sweep, rows_of
from analysis.page.wording import chance, listed, several
from analysis.plots.names import SIGNS
from analysis.stats.cells import is_control
from analysis.stats.inflation import best_epoch_inflation, selection
from analysis.stats.power import seeds_needed
from analysis.stats.variance import LUCK, SEED
from analysis.tables.grid import percent

SIZES = (0.002, 0.005, 0.01)  # differences that a person may want to see, fractions of 1
ENOUGH = 3  # seeds, from which on choosing on all but one says something


def statistics(sweep: Sweep) -> Section:
    """Each part says so where it cannot be known."""
    parts = [*_shares(sweep), *_inflation(sweep), *_selection(sweep), *_power(sweep)]
    return Section("statistics", "Statistics in words", parts)


def _shares(sweep: Sweep) -> list[Any]:
    table = sweep.shares
    if table.empty:
        return [
            Text(
                "How much of the spread the seed makes is not known: that takes several settings of two seeds or more.",
                "note",
            )
        ]
    return [Text(_shares_of(heading, group)) for heading, group in groups(table)]


def _shares_of(heading: str, group: pd.DataFrame) -> str:
    rows = rows_of(group)
    luck = [row for row in rows if row.source in LUCK]
    swept = [row for row in rows if row.source not in LUCK]
    of_seed = next((row.share for row in luck if row.source == SEED), 0.0)
    settings = listed(f"{_makes(row.source)} {_share(row.share)} (p {_p(row.p)})" for row in swept)
    total, where = sum(row.share for row in luck), f" ({heading})" if heading else ""
    return (
        f"Of the variance between {rows[0].runs} distilled runs{where}, {settings}; luck makes {_share(total)}, of "
        f"which {_share(of_seed)} is what a seed does to all settings alike."
    )


def _makes(source: str) -> str:
    return f"{SIGNS.get(source, source)} {'make' if source == 'interactions' else 'makes'}"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _p(value: Any) -> str:
    word = chance(value)
    return word if word.startswith("<") else f"= {word}"


def _inflation(sweep: Sweep) -> list[Any]:
    table = best_epoch_inflation(sweep.runs).assign(name=sweep.table["name"])
    real = ~is_control(table)
    known = table[table["inflation"].notna() & real]
    without = "" if real.all() else " Controls are left out."
    if known.empty:
        return [Text("Best-epoch inflation is not known: no finished run has both accuracies.", "note")]
    runs = int(known["inflation_n"].sum())
    if not (known["inflation"] > 0).any():
        return [
            Text(
                f"The last epoch was the best on the test set in all of {several(runs, 'run')}: nothing to inflate."
                f"{without}"
            )
        ]
    mean = (known["inflation"] * known["inflation_n"]).sum() / runs
    most = rows_of(known.sort_values("inflation"))[-1]
    return [
        Text(
            f"Reporting each run's best epoch on the test set instead of its last would add {percent(mean, '+')} "
            f"points (mean of {several(runs, 'run')}); most in {most.name}, "
            f"{percent(most.inflation, '+')}. That is a bias, not luck: more seeds do not lessen it.{without}"
        )
    ]


def _selection(sweep: Sweep) -> list[Any]:
    table = selection(sweep.runs)
    if table.empty:
        return [
            Text(
                "What selecting on the test set would have claimed is not known: that takes two cells and two seeds.",
                "note",
            )
        ]
    lines = [
        [
            ": ".join(filter(None, [heading, str(row.rule)])),
            percent(row.claimed),
            percent(row.honest),
            percent(row.flattery, "+"),
        ]
        for heading, group in groups(table)
        for row in rows_of(group)
    ]
    said = (
        "Claimed: what each rule of choosing a setting reports of its choice. Honest: the rule chooses on all seeds "
        "but one, and the test accuracy after the last epoch is read on that one. With few seeds the rows differ by "
        "luck too."
    )
    distinct = rows_of(table.drop_duplicates(["cells", "seeds"]))
    counts = listed(f"{row.cells} cells, {row.seeds} seeds" for row in distinct)
    counts += f"; below {ENOUGH} seeds it says little" if table["seeds"].min() < ENOUGH else ""
    header = ["chosen and reported by", "claimed (%)", "honest (%)", "flattery (points)"]
    return [Text(said), Grid(f"What selecting on the test set would have claimed: {counts}", header, lines)]


def _power(sweep: Sweep) -> list[Any]:
    known = sweep.table[sweep.table["residual_sd"].notna()]
    known = known[~is_control(known)]
    if known.empty:
        return [Text("How many seeds a difference needs is not known: the spread between seeds is not.", "note")]
    return [part for heading, group in groups(known) for part in _seeds_needed(heading, group)]


def _seeds_needed(heading: str, group: pd.DataFrame) -> list[Any]:
    (sd, known), count = _spread(group), int(group["comparisons"].max())
    alone, all_cells = seeds_needed(sd, SIZES), seeds_needed(sd, SIZES, count)
    lines = [
        [_points(size), _seeds(one), _seeds(many)]
        for size, one, many in zip(SIZES, alone["seeds"], all_cells["seeds"], strict=True)
    ]
    where = f", {heading}" if heading else ""
    caption = (
        f"Seeds a cell needs for a difference to be found in 4 of 5 sweeps{where}. A run's sd is {percent(sd)} points"
        f"{known}; the more cells there are, the better it is known"
    )
    return [Grid(caption, ["difference", "a sweep of one cell", f"one of {count} cells, all looked at"], lines)]


def _spread(group: pd.DataFrame) -> tuple[float, str]:
    """A run's sd, shared by the cells, or the median of those that compete where each has its own; and which it is."""
    pooled = group[group["pooled"].fillna(False).astype(bool)]
    if len(pooled):
        return float(pooled["residual_sd"].iloc[0]), ""
    own = group.loc[group["competes"] if group["competes"].any() else group.index, "residual_sd"].astype("float64")
    ends = f"{percent(own.min())} to {percent(own.max())}"
    return float(own.median()), f" (median of the cells, whose spreads differ from {ends})" if len(own) > 1 else ""


def _points(size: float) -> str:
    return f"{100 * size:g} point{'' if size == 0.01 else 's'}"


def _seeds(count: Any) -> str:
    return ABSENT if pd.isna(count) else f"{count:,}"
