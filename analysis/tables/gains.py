"""The difference of every cell to its baseline, with intervals that stay honest for few seeds and many cells."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.stats.cells import is_control
from analysis.stats.differences import differences
from analysis.tables.captions import alike, selection, setting
from analysis.tables.grid import ABSENT, comparable, described, percent, varying
from analysis.tables.leaders import baseline_notes
from analysis.tables.methods import role, with_weights
from analysis.tables.table import APART, BEST, Entry, Table, marks_of, nothing, plain
from analysis.tables.tidy import NUMBERS, tidy
from analysis.tables.words import accuracy_words, chance_words, interval_words, unfinished

INFERRED = (
    *("difference", "low", "high", "family_low", "family_high", "p", "p_family"),
    *("df", "residual_sd", "comparisons", "pooled"),
)
HEADER = ("test accuracy", "difference", "95 % interval", "simultaneous", "p", "n")


def differences_table(runs: pd.DataFrame) -> list[Table]:
    """A row a distilled cell, best first, controls last; its difference to the baseline (``stats.differences``).

    A table for each data set, student, budget and protocol; p is that of the family. ``data`` has the columns of
    ``INFERRED`` besides those of ``tidy``, fractions of 1. One table without rows where there is nothing to compare.
    """
    table = differences(runs)
    if not table["n"].sum():
        return [nothing(unfinished(table))]
    if not table["difference"].notna().any():
        return [nothing(f"No differences: {_why_none(table)}.")]
    return [_table(runs, title, group) for title, group in comparable(table)]


def _table(runs: pd.DataFrame, title: str, group: pd.DataFrame) -> Table:
    tried = group[~group["is_baseline"]].assign(last=is_control)
    if not tried["difference"].notna().any():
        return nothing(f"{title}: no differences: {_why_none(group)}.")
    ranked = tried.sort_values(["last", "selected_by"], ascending=[True, False], kind="stable").drop(columns="last")
    fields = with_weights(ranked, varying(ranked))
    cells = zip(ranked.itertuples(index=False), described(ranked, fields), strict=True)
    alone = _all_alone(ranked)
    rows = tuple((*plain([role(cell), *words]), *_numbers(cell, alone)) for cell, words in cells)
    made = Table(title, ("", *fields, *HEADER), rows, tidy(ranked, (*NUMBERS, *INFERRED)))
    return made._replace(notes=tuple(_notes(runs, group, ranked, made)))


def _all_alone(ranked: pd.DataFrame) -> bool:
    """Whether no two cells share a residual, so that to mark one of them would tell it from nothing."""
    return not ranked["pooled"].dropna().any()


def _numbers(cell: Any, alone: bool) -> list[Entry]:
    known = not pd.isna(cell.difference)
    difference = percent(cell.difference, "+") if known else ABSENT
    apart = APART if known and not (cell.pooled or alone) else ""
    intervals = [interval_words(cell.low, cell.high), interval_words(cell.family_low, cell.family_high)]
    marked = Entry(difference, (BEST if cell.best and known else "") + apart)
    test = accuracy_words(cell, cell.n, [])._replace(marks="")
    return [test, marked, *plain([*intervals, chance_words(cell.p_family), str(cell.n)])]


def _why_none(table: pd.DataFrame) -> str:
    if table["is_baseline"].all():
        return "nothing was distilled"
    if not table["is_baseline"].any():
        return "no baseline was run"
    return "no baseline finished that trained as a distilled cell did, with a seed in common"


def _notes(runs: pd.DataFrame, group: pd.DataFrame, ranked: pd.DataFrame, made: Table) -> list[str]:
    return [
        "Difference to the undistilled baseline in test accuracy after the last epoch, in points.",
        *_intervals(ranked),
        *selection(group, marks_of([made])),
        *_baselines(group, ranked),
        *setting(alike(runs, group), ranked),
    ]


def _intervals(ranked: pd.DataFrame) -> list[str]:
    """How the intervals were made, or why there are none."""
    pooled = ranked[ranked["pooled"].fillna(False) & ranked["low"].notna()]
    if not ranked["low"].notna().any():
        return ["No intervals: they need two seeds or more that differ, since one seed (n=1) shows no spread."]
    first = ranked.loc[ranked["low"].notna()].iloc[0]
    lines = [f"95 % interval: of one difference alone. {_together(ranked, first)}"]
    if len(pooled):
        sd, df = pooled["residual_sd"].iloc[0], pooled["df"].iloc[0]
        lines.append(
            f"Model: accuracy = cell + seed, one residual for all: sd {percent(sd)} points, {df} degrees of freedom."
        )
    if _all_alone(ranked):
        own = "so each difference stands on the paired differences of its own seeds, n - 1 degrees of freedom"
        return [*lines, f"The cells' spreads differ among one another, {own}."]
    apart = bool((~ranked["pooled"].fillna(True)).any())
    return lines + [f"{APART} spreads unlike the others, so it stands on its own paired differences."] * apart


def _together(ranked: pd.DataFrame, first: Any) -> str:
    control = is_control(ranked)
    own = ", negative controls by themselves" if control.any() and not control.all() else ""
    way = "Šidák" if _all_alone(ranked) else "Dunnett"
    return f"Simultaneous, as p: over all {first['comparisons']} cells at once ({way}'s way){own}."


def _baselines(group: pd.DataFrame, ranked: pd.DataFrame) -> list[str]:
    lines = baseline_notes(group, ranked)
    return (
        lines
        if len(lines) < 4
        else [f"Each of {len(lines)} recipes has its own baseline; the table of seeds has them."]
    )
