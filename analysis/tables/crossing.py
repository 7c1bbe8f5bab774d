"""Alpha x temperature, a table for each mode and whatever else was swept, the best of each row and column marked."""

from __future__ import annotations

import pandas as pd

from analysis.stats.cells import cells
from analysis.tables.captions import accuracies_of, alike, gains_of, selection, setting
from analysis.tables.grid import ABSENT, AXES, Level, Panel, panels, usual, varying
from analysis.tables.leaders import baseline_notes
from analysis.tables.table import BEST, OF_COLUMN, OF_ROW, Entry, Table, leading, marks_of, nothing
from analysis.tables.tidy import frame, tidy
from analysis.tables.words import cell_words, unfinished

Place = tuple[Level, Level]


def alpha_temperature(runs: pd.DataFrame) -> list[Table]:
    """A table for each mode and each combination of the other varying fields; rows are alpha, columns temperature.

    A cell reads '84.36 ± 0.21 (+0.52 ± 0.31)': per cent of test accuracy after the last epoch, mean and sd over the
    seeds, and the gain over the baseline in points, mean and sd of the differences paired by seed. Marked by what
    selects, never by test under holdout: ★ the best of all that compare, ↑ of its column, → of its row. Its ``data``
    has the columns best_of_column and best_of_row too. One table without rows where alpha and T are no grid.
    """
    table = cells(runs)
    found = panels(table)
    if not table["n"].sum() or not found:
        return [nothing(_why_none(table))]
    return [_with_notes(runs, table, panel) for panel in found]


def panel_table(panel: Panel, table: pd.DataFrame) -> Table:
    """One panel of ``table``'s cells, without notes."""
    of_column = _leading(panel, 1)
    of_row = _leading(panel, 0)
    n = usual(table)

    def entry(place: Place) -> Entry:
        found = cell_words(panel.cells.get(place), n)
        marks = OF_COLUMN * (place in of_column) + OF_ROW * (place in of_row)
        return found if found.marks == BEST else found._replace(marks=marks)

    rows = [
        (Entry(_axis("α", alpha)), *(entry((alpha, temperature)) for temperature in panel.temperatures))
        for alpha in panel.alphas
    ]
    numbers = tidy(frame(panel.cells.values(), table)).assign(
        best_of_column=[place in of_column for place in panel.cells],
        best_of_row=[place in of_row for place in panel.cells],
    )
    return Table(panel.heading, ("", *(_axis("T", t) for t in panel.temperatures)), tuple(rows), numbers)


def _leading(panel: Panel, axis: int) -> set[Place]:
    """The best of each row (``axis`` 0) or column (1)."""
    lines: dict[Level, dict[Place, object]] = {}
    for place, cell in panel.cells.items():
        lines.setdefault(place[axis], {})[place] = cell
    return {place for line in lines.values() for place in leading(line)}


def _with_notes(runs: pd.DataFrame, table: pd.DataFrame, panel: Panel) -> Table:
    made = panel_table(panel, table)
    part = frame(panel.cells.values(), table)
    what = [accuracies_of(part), *gains_of(part, bracketed=True), *selection(part, marks_of([made]))]
    said = [*baseline_notes(table, part), *setting(alike(runs, part), part, weighing=False)]
    return made._replace(notes=(*what, *said))


def _axis(symbol: str, place: Level) -> str:
    return f"no {symbol}" if place.text == ABSENT else f"{symbol}={place.text}"


def _why_none(table: pd.DataFrame) -> str:
    if not table["n"].sum():
        return unfinished(table)
    if table["is_baseline"].all():
        return "No table of alpha x temperature: nothing was distilled."
    if not set(varying(table)) & set(AXES):
        return "No table of alpha x temperature: neither was swept."
    return "No table of alpha x temperature: they are no grid here, since most of their crossings were not run."
