"""What every seed gave, a line a cell: the replicates behind the means."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.stats.cells import cells
from analysis.tables.captions import accuracies_of, alike, selection, selects, setting
from analysis.tables.grid import ABSENT, absence, comparable, described, percent, varying
from analysis.tables.methods import role, with_weights
from analysis.tables.table import BEST, Entry, Table, marks_of, nothing, plain
from analysis.tables.tidy import tidy
from analysis.tables.words import score_words, unfinished

OF_THE_CELL = ("mean", "sd", "n", "half_width", "selected_by", "is_baseline", "best")


def seeds(runs: pd.DataFrame) -> list[Table]:
    """A row a cell, baselines first, then best first; a column a seed, then mean, sd, n and the interval.

    A table for each data set, student, budget and protocol. Its ``data`` has a row a cell and seed, ``value`` its test
    accuracy after the last epoch; a cell without a result has one row, without seed and value.
    """
    table = cells(runs)
    if not table["n"].sum():
        return [nothing(unfinished(table))]
    return [_table(runs, title, group) for title, group in comparable(table)]


def _table(runs: pd.DataFrame, title: str, group: pd.DataFrame) -> Table:
    fields = with_weights(group, varying(group))
    ranked = group.sort_values(["is_baseline", "selected_by"], ascending=False, kind="stable")
    used = sorted({seed for by_seed in group["by_seed"] for seed in by_seed})
    found = list(zip(ranked.itertuples(index=False), described(ranked, fields), strict=True))
    missing = any(absence(cell) for cell, _ in found)
    rows = tuple(
        (*plain([role(cell), *words]), *_numbers(cell, used), *plain([absence(cell)] if missing else []))
        for cell, words in found
    )
    behind = ("mean", "sd", "n", "95 % ±", selects(group), *(["without result"] if missing else []))
    made = Table(title, ("", *fields, *(f"seed {seed}" for seed in used), *behind), rows, _each(ranked))
    return made._replace(notes=tuple(_notes(runs, group, made)))


def _numbers(cell: Any, used: list[int]) -> list[Entry]:
    by_seed = [percent(cell.by_seed[seed]) if seed in cell.by_seed else ABSENT for seed in used]
    mean, sd, half = (ABSENT if pd.isna(value) else percent(value) for value in (cell.mean, cell.sd, cell.half_width))
    best = BEST if cell.best else ""
    return [*plain(by_seed), Entry(mean, best), *plain([sd, str(cell.n), half, score_words(cell)])]


def _each(table: pd.DataFrame) -> pd.DataFrame:
    """A row a cell and seed."""
    data = tidy(table, OF_THE_CELL)
    data["seed"] = pd.Series([[*by_seed] or [pd.NA] for by_seed in table["by_seed"]])
    data["value"] = pd.Series([[*by_seed.values()] or [pd.NA] for by_seed in table["by_seed"]])
    data = data.explode(["seed", "value"], ignore_index=True).astype({"seed": "Int64", "value": "Float64"})
    return data[[*data.columns.drop([*OF_THE_CELL, "seed", "value"]), "seed", "value", *OF_THE_CELL]]


def _notes(runs: pd.DataFrame, group: pd.DataFrame, made: Table) -> list[str]:
    several = "the sd, and half the width of the 95 % interval of the mean (Student's t)"
    what = "Test accuracy after the last epoch in %, of every seed; mean"
    spread = f"{what}, {several}." if group["sd"].notna().any() else accuracies_of(group)
    return [spread, *selection(group, marks_of([made])), *setting(alike(runs, group), group)]
