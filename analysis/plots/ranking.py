"""Runs -> a picture for any sweep: every cell on a line, its mean and the spread of its seeds."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from analysis.plots.heatmap import SIZE, label_figure, wrapped
from analysis.stats.cells import cells
from analysis.tables.grid import ABSENT, described, heading, varying

BARE = ("method", "hyperparameters", "taps")  # whose words speak for themselves
RANKED = 40  # cells in a ranking; more do not fit a page, and the table has them all


def ranking(runs: pd.DataFrame) -> Figure:
    """Mean and sd of every cell that has a finished run: the baselines, then the others, best by selection first.

    Hollow are baselines; the best has a star. Raises ValueError if no run has finished.
    """
    table = cells(runs)
    if not table["n"].sum():
        raise ValueError("no run has finished: nothing to draw")
    order = ["is_baseline", "selected_by"]
    finished = table[table["n"] > 0].sort_values(order, ascending=False, kind="stable")
    shown = finished[finished["is_baseline"] | (~finished["is_baseline"]).cumsum().le(RANKED)]
    figure = _frame(shown, varying(table))
    for y, cell in enumerate(shown.itertuples(index=False)):
        _point(figure.axes[0], y, cell)
    label_figure(figure, "Mean test accuracy of every cell", table, "★", _legend(finished, len(shown)))
    return figure


def _frame(shown: pd.DataFrame, fields: list[str]) -> Figure:
    pairs = zip(shown.itertuples(index=False), described(shown, fields), strict=True)
    labels, wide, tall = wrapped([_label(cell, fields, words) for cell, words in pairs])
    size = (max(8.0, 5.0 + wide), max(3.0, (tall + 0.16) * len(shown) + 2.0))
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.09))
    ax = figure.subplots()
    ax.set_yticks(range(len(shown)), labels, fontsize=SIZE)
    ax.set(ylim=(len(shown) - 0.5, -0.7), xlabel="mean test accuracy (%)")
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    return figure


def _point(ax: Axes, y: int, cell: Any) -> None:
    spread = None if pd.isna(cell.sd) else 100 * cell.sd
    face = "white" if cell.is_baseline else "tab:blue"
    ax.errorbar(100 * cell.mean, y, xerr=spread, fmt="o", color="tab:blue", markerfacecolor=face, capsize=3)
    if cell.best:
        ax.annotate("★", (100 * cell.mean, y), (0, 5), textcoords="offset points", ha="center", fontsize=SIZE + 1)


def _label(cell: Any, fields: list[str], words: list[str]) -> str:
    known = [(field, word) for field, word in zip(fields, words, strict=True) if word != ABSENT]
    known = [pair for pair in known if pair != ("method", "none")]
    text = ", ".join(word if field in BARE else heading([field], [word]) for field, word in known)
    return " ".join(filter(None, ["baseline" if cell.is_baseline else "", text])) or "the one cell"


def _legend(finished: pd.DataFrame, shown: int) -> str:
    order = "Ordered by what selects, the highest at the top"
    order += ", below the baselines (hollow). " if finished["is_baseline"].any() else ". "
    bars = "Bars: ± standard deviation over seeds. " if finished["sd"].notna().any() else ""
    rest = len(finished) - shown
    return f"{order}{bars}" + (f"The {rest} lowest are left out." if rest else "")
