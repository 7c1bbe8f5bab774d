"""Runs -> a sweep's tables in Markdown, with what a person needs to believe them."""

from __future__ import annotations

import pandas as pd

from analysis.stats.differences import differences
from analysis.tables.captions import caption, selects
from analysis.tables.crossing import panel_table
from analysis.tables.formats import markdown
from analysis.tables.grid import comparable, described, usual, varying
from analysis.tables.layout import Layout, layout
from analysis.tables.leaders import leaders
from analysis.tables.methods import methods_table, role, with_weights
from analysis.tables.table import Table, marks_of, plain
from analysis.tables.tidy import tidy
from analysis.tables.tricks import tricks_table
from analysis.tables.words import cell_words, score_words, unfinished


def grid_table(runs: pd.DataFrame) -> str:
    """The sweep's answer: caption, baselines, best cells, then alpha x temperature for each mode and varying field.

    A cell reads '84.36 ± 0.21 (+0.52 ± 0.31)': per cent of test accuracy after the last epoch, mean and sd over
    the seeds, and the gain over the baseline in points, mean and sd of the differences paired by seed. Where methods,
    students or the recipe were swept, lines are those; where nothing else fits, cells: baselines, then best first.
    Says so plainly where no run has finished.
    """
    table = differences(runs)
    if not table["n"].sum():
        return "\n\n".join(filter(None, [unfinished(table), _errors(runs)])) + "\n"
    shown = layout(table)
    tables = tables_of(table, shown)
    above = [caption(runs, table, shown, marks_of(tables)), leaders(table, shown), _errors(runs)]
    return "\n\n".join(filter(None, [*above, markdown(*tables)]))


def tables_of(table: pd.DataFrame, shown: Layout) -> list[Table]:
    """The tables that show these cells (``stats.differences``), without notes on what they share."""
    found = [methods_table(table)] if shown.methods else []
    found += [panel_table(panel, table) for panel in shown.panels]
    found = found or [tricks_table(sheet, table) for sheet in shown.sheets]
    return found or [_flat(title, group, table) for title, group in comparable(table)]


def _flat(title: str, group: pd.DataFrame, table: pd.DataFrame) -> Table:
    fields = with_weights(group, varying(group))
    ranked = group.sort_values(["is_baseline", "selected_by"], ascending=False, kind="stable")
    rows = [
        (*plain([role(cell), *words]), cell_words(cell, usual(table)), *plain([score_words(cell)]))
        for cell, words in zip(ranked.itertuples(index=False), described(ranked, fields), strict=True)
    ]
    header = ("", *fields, "test accuracy (gain)", selects(group))
    return Table(title, header, tuple(rows), tidy(ranked))


def _errors(runs: pd.DataFrame) -> str:
    """The three commonest errors of failed runs, with their counts."""
    errors = runs.loc[runs["status"] == "failed", "error"].fillna("no reason recorded").value_counts()
    return "\n".join(f"- Failed, {count} of {len(runs)} runs: {error}" for error, count in errors.head(3).items())
