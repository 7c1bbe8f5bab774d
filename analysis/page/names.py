"""What tells cells apart by colour, and which of them are negative controls."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.plots.names import names
from analysis.tables.grid import comparable, described, varying

PARTS = 8  # of data sets, students, budgets and protocols that do not compare
KINDS = ("method", "mode", "student", "teacher", "convention")  # the first of these that differs


def kinds(table: pd.DataFrame) -> list[str]:
    """The method, mode, student ... of each cell of ``stats.cells``; 'baseline' and 'control: NAME' for these."""
    fields = varying(table)
    field = next((name for name in KINDS if name in fields), "method")
    rows = zip(table.itertuples(index=False), described(table, [field]), strict=True)
    return ["baseline" if cell.is_baseline else control(cell) or word for cell, (word,) in rows]


def named_parts(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """At most ``PARTS`` comparable parts of a page's table, with headings; names leave out what a heading says."""
    return [(heading, group.assign(name=names(group))) for heading, group in comparable(table)[:PARTS]]


def control(cell: Any) -> str:
    """'control: NAME', '' where a cell is none."""
    return "" if pd.isna(cell.control) or cell.control == "none" else f"control: {cell.control}"
