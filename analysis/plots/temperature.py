"""Runs -> curves over the temperature: a line for each alpha, a panel for each mode, the baseline as a band."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.plots.axes import at_edges, band, dodged, interval, limits, note, place_ticks, seed_values, star
from analysis.plots.look import BASELINE, INTERVAL_FROM, SIZE, style
from analysis.plots.names import phrase
from analysis.plots.paper import finished_cells, groups, label_figure, name_lines, rows, sheet
from analysis.stats.cells import BLOCK
from analysis.stats.curves import temperature_curves as curves_of
from analysis.tables.grid import described, usual, varying

WIDE, TALL = 3.7, 3.1  # inches of a panel
DODGE = 0.013  # of the axis: bars of several lines at one temperature stand side by side
ACROSS = 3  # panels, unless they are modes
LETTERS = 44  # of a line of a heading


class Panel(NamedTuple):
    """One axes: its heading, the cells of its lines by words, the cell of its baseline, and the cells it is beside."""

    heading: str
    lines: dict[str, list[Any]]
    baseline: Any
    compared: pd.DataFrame


def temperature_curves(runs: pd.DataFrame) -> Figure:
    """Mean test accuracy after the last epoch against T.

    Lines are alphas, or what else of the distillation was swept; panels modes and whatever else. Bars: 95 % interval
    of the mean, from three seeds on; below that the single seeds. Panels that may be compared have one scale. Raises
    ValueError if no run has finished, or no two cells differ in nothing but T.
    """
    table = finished_cells(runs)
    curves = curves_of(runs)
    curves = curves[curves["curve"].duplicated(keep=False)]
    if curves.empty:
        raise ValueError("the temperature was not swept: no two finished cells differ in nothing but T")
    found = [
        panel
        for heading, group in groups(table)
        if group.index.isin(curves["cell"]).any()
        for panel in _panels(heading, group, group.index.isin(curves["cell"]))
    ]
    figure, axes = _frame(found, table.loc[curves["cell"], "mode"].nunique())
    words = sorted({line for panel in found for line in panel.lines}, key=_number)
    styles = {line: style(place) for place, line in enumerate(words)}
    for ax, panel in zip(axes, found, strict=True):
        beside = [other for other in found if other.compared is panel.compared]
        place_ticks(ax, list({float(cell.temperature) for other in beside for cell in _own(other)}), WIDE - 0.6)
        ax.set_ylim(*limits(cell for other in beside for cell in _cells(other)))
        _draw(ax, panel, styles, usual(panel.compared))
    handles = [Line2D([], [], label=line or "distilled", **styles[line]) for line in words]
    name_lines(figure, [*handles, *_grey(found)])
    shown = pd.concat([panel.compared for panel in {id(panel.compared): panel for panel in found}.values()])
    what = "Test accuracy by temperature, last epoch"
    label_figure(figure, what, shown, "★", _legend(found, shown, len(curves)))
    return figure


def _fields(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Which varying fields make panels, and which lines: alpha, else all that concerns the teacher alone."""
    fields = [name for name in varying(table) if name != "temperature"]
    lines = ["alpha"] if "alpha" in fields else [name for name in fields if name not in (*BLOCK, "mode")]
    return sorted(set(fields) - set(lines), key=lambda name: (name == "mode", fields.index(name))), lines


def _panels(heading: str, group: pd.DataFrame, shown: Any) -> Iterator[Panel]:
    """Those of cells that may be compared; ``shown``: which of them are on a curve."""
    fields, line_fields = _fields(group)
    block = group.groupby([*BLOCK], dropna=False).ngroup()
    cells = group.assign(block=block, panel=[_heading(fields, words) for words in described(group, fields)])
    cells["line"] = [phrase(line_fields, words) for words in described(group, line_fields)]
    for text, own in cells[shown].groupby("panel", sort=False):
        beside = cells[(cells["block"] == own["block"].iloc[0]) & cells["is_baseline"] & (cells["n"] > 0)]
        lines = {line: list(rows(part.sort_values("temperature"))) for line, part in own.groupby("line", sort=False)}
        title = textwrap.fill(", ".join(filter(None, [heading, str(text)])), LETTERS)
        yield Panel(title, {str(line): part for line, part in lines.items()}, next(rows(beside), None), group)


def _number(line: str) -> tuple[bool, float, str]:
    """'α 0.5' before 'α 0.9', and words after numbers."""
    try:
        return (False, float(line.rpartition(" ")[2]), line)
    except ValueError:
        return (True, 0.0, line)


def _heading(fields: list[str], words: list[str]) -> str:
    """'resnet8, lr 0.1, mode kl'."""
    pairs = [(name, f"mode {word}" if name == "mode" else word) for name, word in zip(fields, words, strict=True)]
    return phrase([name for name, _ in pairs], [word for _, word in pairs])


def _own(panel: Panel) -> list[Any]:
    return [cell for line in panel.lines.values() for cell in line]


def _cells(panel: Panel) -> list[Any]:
    return _own(panel) + ([] if panel.baseline is None else [panel.baseline])


def _frame(found: list[Panel], modes: int) -> tuple[Figure, list[Axes]]:
    alone = len(found) if len(found) <= ACROSS else math.ceil(math.sqrt(len(found)))
    columns = modes if 1 < modes < len(found) and len(found) % modes == 0 else alone
    lines = math.ceil(len(found) / columns)
    figure, axes = sheet(lines, columns, columns * WIDE + 1.9, lines * TALL + 1.3)
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


def _legend(found: list[Panel], table: pd.DataFrame, curved: int) -> str:
    """What stands below the picture."""
    shown = [cell for panel in found for cell in _cells(panel)]
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
    left = int((~table["is_baseline"]).sum()) - curved
    words += [f"Not shown: {left} that differ from no other in T alone, or did not finish."] if left else []
    return " ".join(words)
