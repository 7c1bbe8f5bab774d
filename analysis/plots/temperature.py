"""Runs -> curves over the temperature: a line for each alpha, a panel for each mode, the baseline as a band."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.plots.axes import at_edges, band, dodged, interval, limits, note, place_ticks, seed_values, star
from analysis.plots.look import BASELINE, INTERVAL_FROM, SIZE, style
from analysis.plots.names import phrase
from analysis.plots.paper import finished_cells, label_figure, name_lines, sheet
from analysis.stats.cells import BLOCK, COMPARABLE
from analysis.stats.curves import temperature_curves as curves_of
from analysis.tables.grid import described, usual, varying

WIDE, TALL = 3.7, 3.1  # inches of a panel
DODGE = 0.013  # of the axis: bars of several lines at one temperature stand side by side
ACROSS = 3  # panels, unless they are modes


class Panel(NamedTuple):
    """One axes: its heading, the cells of its lines by words, the cell of its baseline, and whose scale it has."""

    heading: str
    lines: dict[str, list[Any]]
    baseline: Any
    comparable: tuple[Any, ...]


def temperature_curves(runs: pd.DataFrame) -> Figure:
    """Mean test accuracy after the last epoch against T.

    Lines are alphas, or what else of the distillation was swept; panels modes and whatever else. Bars: 95 % interval
    of the mean, from three seeds on; below that the single seeds. Panels that may be compared have one scale. Raises
    ValueError if no run has finished, or no two cells differ in nothing but T.
    """
    table = finished_cells(runs)
    curves = curves_of(runs)
    if not curves["curve"].duplicated().any():
        raise ValueError("the temperature was not swept: no two finished cells differ in nothing but T")
    fields, line_fields = _fields(table)
    found = list(_panels(table, curves["cell"], fields, line_fields))
    figure, axes = _frame(found, table["mode"].nunique() if "mode" in fields else 1)
    words = list(dict.fromkeys(line for panel in found for line in panel.lines))
    styles = {line: style(place) for place, line in enumerate(words)}
    n = usual(table)
    for ax, panel in zip(axes, found, strict=True):
        place_ticks(ax, sorted({float(t) for t in curves["temperature"]}), WIDE - 0.6)
        ax.set_ylim(*limits(_cells(other for other in found if other.comparable == panel.comparable)))
        _draw(ax, panel, styles, n)
    handles = [Line2D([], [], label=line or "distilled", **styles[line]) for line in words]
    name_lines(figure, [*handles, *_grey(found)])
    label_figure(figure, "Test accuracy by temperature, last epoch", table, "★", _legend(found, table, curves))
    return figure


def _fields(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Which varying fields make panels, and which lines: alpha, else all that concerns the teacher alone."""
    fields = [name for name in varying(table) if name != "temperature"]
    lines = ["alpha"] if "alpha" in fields else [name for name in fields if name not in (*BLOCK, "mode")]
    return sorted(set(fields) - set(lines), key=lambda name: (name == "mode", fields.index(name))), lines


def _panels(table: pd.DataFrame, shown: pd.Series, fields: list[str], line_fields: list[str]) -> Iterator[Panel]:
    block = table.groupby([*BLOCK], dropna=False).ngroup()
    table = table.assign(block=block, panel=[_heading(fields, words) for words in described(table, fields)])
    table["line"] = [phrase(line_fields, words) for words in described(table, line_fields)]
    for text, cells in table.loc[shown].sort_values("temperature").groupby("panel", sort=False):
        own = table[(table["block"] == cells["block"].iloc[0]) & table["is_baseline"] & (table["n"] > 0)]
        in_order = table.index.isin(cells.index)  # alphas as the table sorts them
        lines = {line: list(cells[cells["line"] == line].itertuples()) for line in table.loc[in_order, "line"].unique()}
        comparable = tuple(map(str, cells.iloc[0][[*COMPARABLE]]))
        yield Panel(str(text), lines, next(own.itertuples(), None), comparable)


def _heading(fields: list[str], words: list[str]) -> str:
    """'resnet8, lr 0.1, mode kl'."""
    pairs = [(name, f"mode {word}" if name == "mode" else word) for name, word in zip(fields, words, strict=True)]
    return phrase([name for name, _ in pairs], [word for _, word in pairs])


def _cells(panels: Iterator[Panel]) -> list[Any]:
    found = [cell for panel in panels for cell in [panel.baseline, *(c for line in panel.lines.values() for c in line)]]
    return [cell for cell in found if cell is not None]


def _frame(found: list[Panel], modes: int) -> tuple[Figure, list[Axes]]:
    alone = len(found) if len(found) <= ACROSS else math.ceil(math.sqrt(len(found)))
    columns = modes if 1 < modes < len(found) else alone
    rows = math.ceil(len(found) / columns)
    figure, axes = sheet(rows, columns, columns * WIDE + 1.9, rows * TALL + 1.3)
    for ax in axes[len(found) :]:
        ax.remove()
    for place, (ax, panel) in enumerate(zip(axes, found, strict=False)):
        ax.set_title(panel.heading, fontsize=SIZE + 1)
        ax.set_xlabel("temperature T", fontsize=SIZE)
        ax.set_ylabel("" if place % columns else "test accuracy (%)", fontsize=SIZE)
    return figure, axes[: len(found)]


def _draw(ax: Axes, panel: Panel, styles: dict[str, dict[str, Any]], n: int) -> None:
    if panel.baseline is not None:
        band(ax, panel.baseline)
    beyond = []
    for place, (line, cells) in enumerate(panel.lines.items()):
        bars = any(cell.n > 1 for cells in panel.lines.values() for cell in cells)
        share = bars * DODGE * (place - (len(panel.lines) - 1) / 2)
        xs = [dodged(ax, float(cell.temperature), share) for cell in cells]
        ax.plot(xs, [100 * cell.mean for cell in cells], **styles[line], markersize=5.5, linewidth=1.4, zorder=3)
        for x, cell in zip(xs, cells, strict=True):
            _spread(ax, x, cell, styles[line], n)
        beyond += [(float(cell.temperature), cell, styles[line]["color"]) for cell in cells]
    at_edges(ax, beyond)


def _spread(ax: Axes, x: float, cell: Any, look: dict[str, Any], n: int) -> None:
    found = interval(cell)
    if found:
        ax.plot([x, x], found, color=look["color"], linewidth=1.2, zorder=2)
    elif cell.n > 1:
        seeds = seed_values(cell)
        ax.plot([x] * len(seeds), seeds, look["marker"], color=look["color"], markersize=2.5, alpha=0.7, zorder=2)
    if cell.n != n:
        note(ax, f"n={cell.n}", x, 100 * cell.mean, look["color"])
    if cell.best:
        star(ax, x, 100 * cell.mean)


def _grey(found: list[Panel]) -> list[Line2D]:
    if not any(panel.baseline is not None for panel in found):
        return []
    return [Line2D([], [], color=BASELINE, linestyle=(0, (5, 2)), label="baseline,\nnot distilled")]


def _legend(found: list[Panel], table: pd.DataFrame, curves: pd.DataFrame) -> str:
    """What stands below the picture."""
    shown = _cells(iter(found))
    words = ["n = 1: no spread is known."] if all(cell.n == 1 for cell in shown) else []
    three = any(cell.n >= INTERVAL_FROM for cell in shown)
    words += ["Bars: 95 % interval of the mean (t), cut at the edge."] if three else []
    words += ["Small: the single seeds, where there are two."] if any(cell.n == 2 for cell in shown) else []
    baselines = [panel.baseline for panel in found if panel.baseline is not None]
    if baselines:
        what = "95 % interval" if max(b.n for b in baselines) >= INTERVAL_FROM else "range of the seeds"
        words += [f"Grey: the baseline's mean and {what}." if max(b.n for b in baselines) > 1 else "Grey: baseline."]
    else:
        words += ["No baseline has finished."]
    left = (~table["is_baseline"]).sum() - len(curves)
    words += (
        [f"Not shown: {left} without a T of {'their' if left > 1 else 'its'} own, or not finished."] if left else []
    )
    return " ".join(words)
