"""Runs -> a dot plot of methods, students or tricks: every cell on a line, the baseline's seeds as a band behind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from analysis.plots.look import INTERVAL_FROM, SIZE, wrapped
from analysis.plots.names import BARE
from analysis.plots.paper import finished_cells, label_figure
from analysis.plots.ranking import RANKED
from analysis.stats.cells import BLOCK, far_off, half_width
from analysis.tables.grid import ABSENT, described, heading, percent, varying
from analysis.tables.layout import Layout, layout
from analysis.tables.methods import ahead, role
from analysis.tables.tricks import UNDISTILLED

# Okabe and Ito's colours, told apart without colour by their markers.
STYLES = (("#D55E00", "s"), ("#0072B2", "o"), ("#009E73", "D"), ("#CC79A7", "^"))
LINE, ARM, WIDTH = 0.14, 0.16, 4.2  # inches: a line's height and that of each of its arms, a panel's width


class Line(NamedTuple):
    """A line of the picture: its words, and its cells by arm."""

    name: str
    cells: dict[str, Any]


class Panel(NamedTuple):
    """One axes: its heading, its lines from the top, and the cell whose seeds are the band."""

    heading: str
    lines: list[Line]
    baseline: Any


def dots(runs: pd.DataFrame) -> Figure:
    """Test accuracy after the last epoch, a line for each method or trick, a panel for each student.

    Large: mean; small: the single seeds; bar: 95 % interval of the mean, from three seeds on. Behind: mean and range
    of the seeds of the undistilled baseline. What lies far off stands at the edge, as a number. Raises ValueError if
    no run has finished, or neither methods, students nor tricks were swept.
    """
    table = finished_cells(runs)
    shown = layout(table)
    found = _of_tricks(shown) if shown.sheets else _of_methods(table) if shown.methods else []
    if not found:
        raise ValueError("neither methods, students nor tricks were swept: see cells")
    left_out = max(0, len(found[0].lines) - RANKED)
    figure, axes = _frame([Panel(p.heading, p.lines[:RANKED], p.baseline) for p in found])
    arms = {arm for panel in found for line in panel.lines for arm in line.cells} - {UNDISTILLED}
    styles = dict(zip([UNDISTILLED, *sorted(arms)], STYLES, strict=False))
    for ax, panel in zip(axes, found, strict=True):
        _draw(ax, panel._replace(lines=panel.lines[:RANKED]), styles)
    if shown.sheets:
        _name_markers(axes[0], styles)
    what = "Training tricks, with and without a teacher" if shown.sheets else "Methods of distillation"
    label_figure(figure, f"{what}: test accuracy, last epoch", table, "★", _legend(found, left_out))
    return figure


def _of_methods(table: pd.DataFrame) -> list[Panel]:
    """A panel for each student, lines in one order: the baseline, then best by validation, averaged over students."""
    fields = [name for name in varying(table) if name not in BLOCK] or ["method"]
    names = [_name(cell, fields, words) for cell, words in zip(_rows(table), described(table, fields), strict=True)]
    table = table.assign(name=names, ahead=ahead(table, fields))
    table = table.sort_values(["is_baseline", "ahead"], ascending=False, kind="stable")
    found = []
    for student, group in table.groupby("student", sort=True):
        by_name = {cell.name: cell for cell in _rows(group)}
        cells_of = {name: {_arm(by_name[name]): by_name[name]} if name in by_name else {} for name in table["name"]}
        baseline = next((cell for cell in _rows(group) if cell.is_baseline), None)
        title = f"student {student}" if table["student"].nunique() > 1 else ""
        found.append(Panel(title, [Line(name, cells) for name, cells in cells_of.items()], baseline))
    return found


def _of_tricks(shown: Layout) -> list[Panel]:
    return [
        Panel(
            sheet.heading,
            [
                Line(trick.name, {arm: trick.cells[arm] for arm in sheet.arms if arm in trick.cells})
                for trick in sheet.tricks
            ],
            sheet.tricks[0].cells.get(UNDISTILLED),
        )
        for sheet in shown.sheets
    ]


def _frame(found: list[Panel]) -> tuple[Figure, list[Axes]]:
    """Panels side by side; only the first has names where all have the same ones."""
    lines = max(len(panel.lines) for panel in found)
    arms = max(len(line.cells) for panel in found for line in panel.lines)
    same = len({tuple(line.name for line in panel.lines) for panel in found}) == 1
    _, wide, tall = wrapped([line.name for panel in found for line in panel.lines])
    width = WIDTH * len(found) + 0.8 + wide * (1 if same else len(found))
    size = (max(7.0, width), max(LINE + ARM * arms, tall + 0.08) * lines + 2.6)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.09))
    axes = list(figure.subplots(1, len(found), squeeze=False)[0])
    for ax, panel in zip(axes, found, strict=True):
        names, _, _ = wrapped([line.name for line in panel.lines])
        ax.set_yticks(range(len(names)), names if ax is axes[0] or not same else [""] * len(names), fontsize=SIZE)
        ax.set(ylim=(len(names) - 0.5, -0.5), xlabel="test accuracy, last epoch (%)")
        ax.set_title(panel.heading, fontsize=SIZE + 1, pad=26 if arms > 1 else 6)
        ax.grid(axis="x", color="0.9")
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.set_axisbelow(True)
    return figure, axes


def _draw(ax: Axes, panel: Panel, styles: dict[str, tuple[str, str]]) -> None:
    low, high = _limits(panel)
    ax.set_xlim(low, high)
    if panel.baseline is not None and panel.baseline.n:
        seeds = [100 * value for value in panel.baseline.by_seed.values()]
        ax.axvspan(min(seeds), max(seeds), color="0.88", zorder=0)
        ax.axvline(100 * panel.baseline.mean, color="0.45", linewidth=1, zorder=1)
    for y, line in enumerate(panel.lines):
        if len(line.cells) > 1:
            ax.axhline(y + 0.5, color="0.9", linewidth=0.8, zorder=0)
        for place, (arm, cell) in enumerate(line.cells.items()):
            _point(ax, y + 0.26 * (place - (len(line.cells) - 1) / 2), cell, *styles[arm])


def _point(ax: Axes, y: float, cell: Any, colour: str, marker: str) -> None:
    if not cell.n:
        return
    low, high = ax.get_xlim()
    mean = 100 * cell.mean
    if not low <= mean <= high:  # far off: at the edge, as a number
        edge, side = (low, "left") if mean < low else (high, "right")
        arrow = f"◂ {percent(cell.mean)}" if mean < low else f"{percent(cell.mean)} ▸"
        ax.text(edge, y, arrow, ha=side, va="center", fontsize=SIZE, color=colour)
        return
    half = 100 * half_width(cell.sd, cell.n) if cell.n >= INTERVAL_FROM else np.nan
    if not np.isnan(half):
        ax.plot([mean - half, mean + half], [y, y], color=colour, linewidth=1.4, zorder=2)
    seeds = [100 * value for value in cell.by_seed.values()]
    ax.plot(seeds, [y] * len(seeds), marker, color=colour, markersize=3, alpha=0.6, linestyle="none", zorder=3)
    face = "white" if cell.is_baseline else colour
    ax.plot(mean, y, marker, color=colour, markerfacecolor=face, markersize=7, zorder=4)
    if cell.best:
        ax.annotate("★", (mean, y), (0, 6), textcoords="offset points", ha="center", fontsize=SIZE, zorder=5)


def _limits(panel: Panel) -> tuple[float, float]:
    """The seeds of all cells in per cent, but for controls and for cells that are far off."""
    found = [cell for line in panel.lines for cell in line.cells.values() if cell.n]
    if not found:
        return 0.0, 100.0
    found = [cell for cell in found if role(cell) != "control"] or found
    off = far_off(pd.Series([cell.mean for cell in found]))
    seeds = [100 * v for cell, far in zip(found, off, strict=True) if not far for v in cell.by_seed.values()]
    margin = 0.06 * max(max(seeds) - min(seeds), 0.5)
    return min(seeds) - margin, max(seeds) + margin


def _legend(found: list[Panel], left_out: int) -> str:
    """What stands below the picture."""
    shown = [cell for panel in found for line in panel.lines for cell in line.cells.values()]
    bars = "Bars: 95 % interval of the mean (t), cut at the edge. " if any(c.n >= INTERVAL_FROM for c in shown) else ""
    band = "Grey: mean and range of the seeds of the undistilled baseline. " if found[0].baseline is not None else ""
    rest = f"The {left_out} lowest are left out." if left_out else ""
    return f"Large: mean; small: single seeds; hollow: not distilled. {bars}{band}{rest}"


def _name_markers(ax: Axes, styles: dict[str, tuple[str, str]]) -> None:
    handles = [
        Line2D([], [], color=c, marker=m, markerfacecolor="white" if a == UNDISTILLED else c, linestyle="none", label=a)
        for a, (c, m) in styles.items()
    ]
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, fontsize=SIZE)


def _name(cell: Any, fields: list[str], words: list[str]) -> str:
    """'at, at.weight 500, stage2:stage3': the method and what of it was swept, left out what was left to it."""
    if cell.is_baseline:
        return "baseline"
    said = [(name, word) for name, word in zip(fields, words, strict=True) if word not in (ABSENT, "default")]
    texts = [word if name in BARE else heading([name], [word]) for name, word in said]
    return ", ".join(sorted(texts, key=lambda text: text != cell.method) + [role(cell)] * (role(cell) == "control"))


def _arm(cell: Any) -> str:
    return UNDISTILLED if cell.is_baseline else "distilled"


def _rows(table: pd.DataFrame) -> Iterable[Any]:
    return table.itertuples(index=False)
