"""A sweep's finishing step, from its runs: table.md, a picture or two (``PICTURES``), and an Optuna study of them.

``python -m analysis.summary RESULTS/sweeps/NAME``
"""

from __future__ import annotations

import sys

import pandas as pd
from matplotlib.figure import Figure

from analysis import frames, script
from analysis.plots.dots import dots
from analysis.plots.heatmap import drawable, heatmap
from analysis.plots.paper import save
from analysis.plots.ranking import ranking
from analysis.stats.cells import cells
from analysis.study import write_study
from analysis.tables.layout import layout
from analysis.tables.overview import grid_table

ABOUT = """Prints a sweep's table, and writes it and its pictures into the sweep's folder, as the sweep's own end does.
These are table.md, heatmap.png, methods.png, tricks.png or cells.png, and optuna.journal; a URI will do."""
PICTURES = ("heatmap.png", "methods.png", "tricks.png", "cells.png")


def summarise(folder: str) -> str:
    """Writes ``table.md`` and its pictures into a sweep's folder (a path or a URI) and returns the table.

    ``methods.png`` where methods or students were swept, ``tricks.png`` where training tricks were, ``heatmap.png``
    where alpha and temperature were, ``cells.png`` where none of these fits. Where no run has finished the table says
    so; a picture of an earlier time that no longer fits is removed. ``optuna.journal`` is for optuna-dashboard (see
    analysis.study). Raises InputError where ``runs.parquet`` or ``epochs.parquet`` cannot be read.
    """
    runs = frames.runs(folder)
    text = grid_table(runs)
    frames.write(folder, "table.md", text.encode())
    drawn = _pictures(runs)
    for name in PICTURES:
        if name in drawn:
            save(drawn[name], folder, name)
        else:
            frames.remove(folder, name)
    write_study(folder)
    return text


def _pictures(runs: pd.DataFrame) -> dict[str, Figure]:
    if not runs.loc[runs["status"] == "finished", "test_accuracy_last"].notna().any():
        return {}
    shown = layout(cells(runs))
    lines = {"tricks.png" if shown.sheets else "methods.png": dots(runs)} if shown.methods or shown.sheets else {}
    grids = {"heatmap.png": heatmap(runs)} if drawable(shown.panels) else {}
    return lines | grids or {"cells.png": ranking(runs)}


def main(arguments: list[str]) -> int:
    """Prints the table of the sweep's folder; 2 and one line on stderr where that cannot be done."""
    return script.run(summarise, "python -m analysis.summary RESULTS/sweeps/NAME", ABOUT, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
