"""Which tables and pictures show a sweep: alpha x temperature panels, methods, tricks, or none of these."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from analysis.tables.grid import Panel, panels, varying
from analysis.tables.methods import compares_methods
from analysis.tables.tricks import Sheet, sheets


class Layout(NamedTuple):
    """``panels``: alpha x temperature, where it was swept. ``methods``: whether lines are methods or students.

    ``sheets``: of tricks, where the recipe was swept instead. A sweep may have both panels and methods; one that has
    none of the three is a flat list of cells.
    """

    panels: list[Panel]
    methods: bool
    sheets: list[Sheet]


def layout(table: pd.DataFrame) -> Layout:
    """What fits these cells (``stats.cells``)."""
    found = panels(table)
    methods = compares_methods(table) and ("method" in varying(table) or not found)
    swept = any(len(panel.cells) > 1 for panel in found)
    tricks = [] if swept or methods else sheets(table)
    return Layout([] if tricks else found, methods, tricks)
