"""The sweep's main table: alpha x temperature, methods, tricks, or whatever fits, the best marked."""

from __future__ import annotations

from analysis.page.parts import Grid, Items, Section
from analysis.page.sweep import Sweep
from analysis.tables.captions import caption
from analysis.tables.layout import layout
from analysis.tables.leaders import leaders
from analysis.tables.overview import tables_of
from analysis.tables.table import BEST, Table, marks_of


def table(sweep: Sweep) -> Section:
    """The tables of ``analysis.tables``, with what a reader needs to believe them."""
    cells = sweep.tried  # negative controls have a table of their own
    shown = layout(cells)
    tables = tables_of(cells, shown)
    best = [line.removeprefix("- ") for line in leaders(cells, shown).splitlines()]
    legend = caption(sweep.runs, cells, shown, marks_of(tables)).splitlines()
    return Section("table", "Results", [Items(best), *map(grid, tables), Items(legend, "note")])


def grid(table: Table) -> Grid:
    """A ``Table`` as the page shows it."""
    rows = [[entry.words for entry in row] for row in table.rows]
    strong = {(y, x) for y, row in enumerate(table.rows) for x, entry in enumerate(row) if BEST in entry.marks}
    title = ". ".join(filter(None, [table.title or "Test accuracy in %", *table.notes]))
    return Grid(title, list(table.columns), rows, strong=frozenset(strong))
