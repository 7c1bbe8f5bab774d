"""Runs -> tables, and tables -> Markdown, LaTeX, CSV, Parquet and the styled table of a notebook.

    from analysis import frames, tables
    runs = frames.runs("results/sweeps/cifar10_grid")
    for table in tables.alpha_temperature(runs):
        print(tables.markdown(table))

Every maker gives a list: a table for each set of comparable runs, or one without rows whose note says why there is
none. On the command line: ``python -m analysis.tables --help``.
"""

from analysis.tables.crossing import alpha_temperature
from analysis.tables.each_seed import seeds
from analysis.tables.formats import csv, markdown, parquet
from analysis.tables.gains import differences_table
from analysis.tables.networks import methods_by_network
from analysis.tables.notebook import styled
from analysis.tables.overview import grid_table
from analysis.tables.shares import variance_table
from analysis.tables.table import Entry, Table
from analysis.tables.typeset import latex

__all__ = [
    "Entry",
    "Table",
    "alpha_temperature",
    "csv",
    "differences_table",
    "grid_table",
    "latex",
    "markdown",
    "methods_by_network",
    "parquet",
    "seeds",
    "styled",
    "variance_table",
]
