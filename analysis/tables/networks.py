"""Methods x architectures: a line a method, a column a student, or a student and its teacher."""

from __future__ import annotations

import pandas as pd

from analysis.stats.cells import cells
from analysis.tables.captions import accuracies_of, alike, gains_of, selection, setting
from analysis.tables.grid import comparable
from analysis.tables.methods import BUDGET, methods_table, networks_of
from analysis.tables.table import Table, marks_of, nothing
from analysis.tables.words import unfinished


def methods_by_network(runs: pd.DataFrame) -> list[Table]:
    """Rows are methods with whatever else was swept, best first; columns students, and teachers where they vary.

    A table for each data set, budget and protocol. ★ is the best of a student by what selects, ↑ the best of a column
    where a student has several teachers. With one network only: accuracy, validation, gain and n as columns.
    """
    table = cells(runs)
    if not table["n"].sum():
        return [nothing(unfinished(table))]
    return [_table(runs, title, group) for title, group in comparable(table, BUDGET)]


def _table(runs: pd.DataFrame, title: str, group: pd.DataFrame) -> Table:
    made = methods_table(group, title)
    networks = networks_of(group)
    what = [accuracies_of(group), *gains_of(group, bracketed=len(networks) > 1)]
    if any(not pd.isna(network.teacher) for network in networks):
        what.append("What has no teacher, as the baseline, stands under each.")
    said = [*selection(group, marks_of([made])), *setting(alike(runs, group, BUDGET), group)]
    return made._replace(notes=(*what, *said))
