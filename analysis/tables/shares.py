"""Where the spread between runs comes from: temperature, alpha, mode and the rest, beside luck."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.stats.cells import cells
from analysis.stats.variance import INTERACTIONS, LUCK, REST, SEED, variance_shares
from analysis.tables.captions import alike, setting
from analysis.tables.grid import comparable, percent
from analysis.tables.table import Entry, Table, nothing, plain
from analysis.tables.words import chance_words, unfinished

HEADER = ("source", "share of variance in %", "sd in points", "degrees of freedom", "p")


def variance_table(runs: pd.DataFrame) -> list[Table]:
    """A row a source of variance between the distilled runs, the largest share first (``stats.variance``).

    A table for each data set, student, budget and protocol; ``data`` has the columns of ``variance_shares``. A table
    without rows where luck cannot be told from settings.
    """
    table = cells(runs)
    if not table["n"].sum():
        return [nothing(unfinished(table))]
    found = variance_shares(runs)
    return [_table(runs, title, group, alike(found, group)) for title, group in comparable(table)]


def _table(runs: pd.DataFrame, title: str, group: pd.DataFrame, shares: pd.DataFrame) -> Table:
    if shares.empty:
        why = "No shares of variance: they take two settings or more, and seeds that differ, two or more."
        return nothing(f"{title}: {why}" if title else why)
    rows = tuple(tuple(_entries(row)) for row in shares.itertuples(index=False))
    return Table(title, HEADER, rows, shares.reset_index(drop=True), tuple(_notes(runs, group, shares)))


def _entries(row: Any) -> list[Entry]:
    return plain([row.source, f"{100 * row.share:.1f}", percent(row.sd), str(row.df), chance_words(row.p)])


def _notes(runs: pd.DataFrame, group: pd.DataFrame, shares: pd.DataFrame) -> list[str]:
    first, sources = shares.iloc[0], set(shares["source"])
    off = f", {first['left_out']} diverged cells left out" if first["left_out"] else ""
    luck = shares.loc[shares["source"].isin(LUCK), "share"].sum()
    lines = [
        f"Variance of test accuracy after the last epoch between {first['runs']} distilled runs{off}.",
        "Share: epsilon squared, that is less what luck alone would give; type II, each field beside all the others.",
        f"{SEED}: what a seed does to all settings alike; {REST}: what is left. "
        f"Together they are luck: {100 * luck:.1f} %.",
    ]
    lines += [f"{INTERACTIONS}: what the fields do only together."] if INTERACTIONS in sources else []
    distilled = group[~group["is_baseline"]]
    return [*lines, "p: of no effect (F test).", *setting(alike(runs, group), distilled)]
