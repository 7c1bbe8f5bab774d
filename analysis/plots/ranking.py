"""Runs -> a picture for any sweep: every cell on a line, its mean and the spread of its seeds."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.plots.axes import limits, seed_values
from analysis.plots.look import COLOURS, INTERVAL_FROM, SIZE, wrapped
from analysis.plots.names import names
from analysis.plots.paper import finished_cells, groups, label_figure, rows, sheet
from analysis.stats.cells import is_control
from analysis.tables.grid import percent, usual

RANKED = 40  # cells in a ranking; more do not fit a page, and the table has them all
STAR = "★"
WIDE = 5.0  # inches of a panel, beside its labels


def ranking(runs: pd.DataFrame) -> Figure:
    """Mean of every cell that has a finished run, and sd: the baselines, then the others, best by selection first.

    The sd from three seeds on; of two these themselves. Negative controls, and what lies far off, do not stretch the
    scale: beyond it they stand at its edge, as a number. A panel for each student and budget. Hollow are baselines; the
    best has a star. Raises ValueError if no run has finished.
    """
    table = finished_cells(runs)
    found = [(heading, _shown(group), _labels(group)) for heading, group in groups(table)]
    lines = [len(shown) for _, shown, _ in found]
    _, wide, tall = wrapped([label for _, shown, labels in found for label in labels[shown.index]])
    height = (tall + 0.16) * sum(lines) + 0.75 * (len(found) - 1) + 2.0
    figure, axes = sheet(len(found), 1, max(8.0, WIDE + wide), height, gridspec_kw={"height_ratios": lines})
    for ax, (heading, shown, labels) in zip(axes, found, strict=True):
        _draw(ax, shown, list(labels[shown.index]))
        ax.set_title(heading, fontsize=SIZE + 1)
    axes[-1].set_xlabel("mean test accuracy (%)")
    finished = table[table["n"] > 0]
    beyond = any(text.get_text() != STAR for ax in axes for text in ax.texts)
    label_figure(
        figure, "Mean test accuracy of every cell, last epoch", table, "★", _legend(finished, sum(lines), beyond)
    )
    return figure


def _shown(group: pd.DataFrame) -> pd.DataFrame:
    order = ["is_baseline", "selected_by"]
    finished = group[group["n"] > 0].sort_values(order, ascending=False, kind="stable")
    return finished[finished["is_baseline"] | (~finished["is_baseline"]).cumsum().le(RANKED)]


def _labels(group: pd.DataFrame) -> pd.Series:
    n = usual(group)
    own = {cell.Index: f" (n={cell.n})" for cell in rows(group) if cell.n != n}
    return names(group) + pd.Series(own).reindex(group.index, fill_value="")


def _draw(ax: Axes, shown: pd.DataFrame, labels: list[str]) -> None:
    ax.set_yticks(range(len(shown)), wrapped(labels)[0], fontsize=SIZE)
    ax.set_ylim(len(shown) - 0.5, -0.7)
    ax.grid(axis="y", visible=False)
    real = shown[~is_control(shown)]
    ax.set_xlim(*limits(rows(shown if real.empty else real)))
    for y, cell in enumerate(rows(shown)):
        _point(ax, y, cell)


def _point(ax: Axes, y: int, cell: Any) -> None:
    low, high = ax.get_xlim()
    if not low <= 100 * cell.mean <= high:
        below = 100 * cell.mean < low
        text = f"◂ {percent(cell.mean)}" if below else f"{percent(cell.mean)} ▸"
        at, side = (low, "left") if below else (high, "right")
        ax.text(at, y, text, ha=side, va="center", fontsize=SIZE, color=COLOURS[0])
        return
    if cell.n == 2:
        ax.plot(seed_values(cell), [y, y], "o", color=COLOURS[0], markersize=3, alpha=0.6)
    spread = 100 * cell.sd if cell.n >= INTERVAL_FROM else None
    face = "white" if cell.is_baseline else COLOURS[0]
    ax.errorbar(100 * cell.mean, y, xerr=spread, fmt="o", color=COLOURS[0], markerfacecolor=face, capsize=3)
    if cell.best:
        ax.annotate(STAR, (100 * cell.mean, y), (0, 5), textcoords="offset points", ha="center", fontsize=SIZE + 1)


def _legend(finished: pd.DataFrame, shown: int, beyond: bool) -> str:
    order = "Ordered by what selects, the highest at the top"
    order += ", below the baselines (hollow). " if finished["is_baseline"].any() else ". "
    bars = "Bars: ± standard deviation over seeds. " if (finished["n"] >= INTERVAL_FROM).any() else ""
    bars += "Small: the single seeds, where there are two. " if (finished["n"] == 2).any() else ""
    bars += "◂ ▸: beyond the scale, which controls do not stretch. " if beyond else ""
    rest = len(finished) - shown
    return f"{order}{bars}" + (f"The {rest} lowest are left out." if rest else "")
