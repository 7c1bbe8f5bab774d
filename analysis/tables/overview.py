"""Runs -> a Markdown table, padded so that it also reads well raw in a terminal."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.stats.cells import cells
from analysis.tables.captions import caption, leaders, selection
from analysis.tables.grid import ABSENT, Level, Panel, described, percent, usual, varying
from analysis.tables.layout import Layout, layout
from analysis.tables.methods import methods_table, role, with_weights
from analysis.tables.tricks import tricks_table
from analysis.tables.words import aligned, cell_words


def grid_table(runs: pd.DataFrame) -> str:
    """The sweep's answer: caption, baselines, best cells, then alpha x temperature for each mode and varying field.

    A cell reads '84.36 ± 0.21 (+0.52 ± 0.31)': per cent of test accuracy after the last epoch, mean and sd over
    the seeds, and the gain over the baseline in points, mean and sd of the differences paired by seed. Where methods,
    students or the recipe were swept, lines are those; where nothing else fits, cells: baselines, then best first.
    Says so plainly where no run has finished.
    """
    table = cells(runs)
    if not table["n"].sum():
        return "\n\n".join(filter(None, [f"No run has finished: {_unfinished(table)}.", _errors(runs)])) + "\n"
    shown = layout(table)
    parts = [caption(runs, table, shown), leaders(table, shown), _errors(runs), *_tables(table, shown)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _tables(table: pd.DataFrame, shown: Layout) -> list[str]:
    found = [methods_table(table)] if shown.methods else []
    found += [f"### {panel.heading}\n\n{_grid(panel, table)}" for panel in shown.panels]
    return found or [tricks_table(sheet, table) for sheet in shown.sheets] or [_flat(table)]


def _grid(panel: Panel, table: pd.DataFrame) -> str:
    header = ["", *(_axis("T", temperature) for temperature in panel.temperatures)]
    rows = [
        [_axis("α", alpha), *(cell_words(panel.cells.get((alpha, t)), usual(table)) for t in panel.temperatures)]
        for alpha in panel.alphas
    ]
    return aligned([header, *rows])


def _flat(table: pd.DataFrame) -> str:
    fields = with_weights(table, varying(table))
    selected_by = selection(table, short=True)
    rows: list[list[str]] = [["", *fields, "test accuracy (gain)", selected_by]]
    ranked = table.sort_values(["is_baseline", "selected_by"], ascending=False, kind="stable")
    ranked_rows: list[Any] = list(ranked.itertuples(index=False))
    for row, words in zip(ranked_rows, described(ranked, fields), strict=True):
        score = ABSENT if pd.isna(row.selected_by) else percent(row.selected_by)
        rows.append([role(row), *words, cell_words(row, usual(table)), score])
    return aligned(rows)


def _axis(symbol: str, place: Level) -> str:
    return f"no {symbol}" if place.text == ABSENT else f"{symbol}={place.text}"


def _unfinished(table: pd.DataFrame) -> str:
    counts = {name: int(table[f"n_{name}"].sum()) for name in ("failed", "stopped", "unfinished")}
    words = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return words or ("none was begun" if table.empty else "none has a test accuracy")


def _errors(runs: pd.DataFrame) -> str:
    """The three commonest errors of failed runs, with their counts."""
    errors = runs.loc[runs["status"] == "failed", "error"].fillna("no reason recorded").value_counts()
    return "\n".join(f"- Failed, {count} of {len(runs)} runs: {error}" for error, count in errors.head(3).items())
