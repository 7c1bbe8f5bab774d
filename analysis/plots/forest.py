"""Runs -> what each cell gained over its baseline, as a forest plot with both of its intervals."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.plots.look import BASELINE, COLOURS, SIZE, wrapped
from analysis.plots.names import names
from analysis.plots.paper import finished_cells, groups, label_figure, rows, sheet
from analysis.stats.cells import far_off, is_control
from analysis.stats.differences import compared
from analysis.tables.grid import percent, usual

SHOWN = 40  # cells in a panel; more do not fit a page, and the table has them all
WIDE, LINE = 5.2, 0.09  # inches: the plot, and what a line has above its words
UNLIKE = 4.0  # times the narrowest scale: beyond it panels have scales of their own
REACH = 1.5  # times the span of the differences: how far intervals may stretch the scale
LOOKS = {"distilled": (COLOURS[0], "o"), "control": (COLOURS[3], "s")}


class Panel(NamedTuple):
    """One axes: its heading, its cells from the top with their labels, and how many are left out."""

    heading: str
    cells: pd.DataFrame
    labels: list[str]
    left_out: int


def differences(runs: pd.DataFrame) -> Figure:
    """Difference to the baseline of every cell in points of test accuracy, the highest at the top.

    Thick: the 95 % interval of this one difference; thin: the intervals that hold for all cells at once
    (``stats.differences``). A panel for each student and budget. Raises ValueError if no run has finished, or no cell
    has a baseline that has.
    """
    table = compared(finished_cells(runs))
    if not table["difference"].notna().any():
        raise ValueError("no finished cell has a finished baseline with a seed in common: there is no difference")
    found = [_panel(heading, group) for heading, group in groups(table) if group["difference"].notna().any()]
    _, words, tall = wrapped([label for panel in found for label in panel.labels])
    lines = [len(panel.labels) for panel in found]
    height = (tall + LINE) * sum(lines) + 0.85 * len(found) + 1.5
    scales = _scales(found)
    figure, axes = sheet(len(found), 1, WIDE + words, height, gridspec_kw={"height_ratios": lines})
    for ax, panel, scale in zip(axes, found, scales, strict=True):
        ax.set_xlim(*scale)
        _draw(ax, panel)
        ax.tick_params(axis="x", labelbottom=ax is axes[-1] or len(set(scales)) > 1)
    axes[-1].set_xlabel("difference in test accuracy (percentage points)", fontsize=SIZE)
    what = "Difference to the baseline in test accuracy, last epoch"
    label_figure(figure, what, table, "★", _legend(found, scales))
    return figure


def _panel(heading: str, group: pd.DataFrame) -> Panel:
    cells = group[group["difference"].notna()].sort_values("difference", ascending=False, kind="stable")
    name, n = names(group), usual(group)
    control = is_control(cells)
    shown = cells[cells["best"] | control | (~control).cumsum().le(SHOWN)]
    labels = [_label(cell, name[cell.Index], n) for cell in rows(shown)]
    return Panel(heading, shown, labels, len(cells) - len(shown))


def _label(cell: Any, name: str, n: int) -> str:
    own = "" if cell.pooled or pd.isna(cell.pooled) else " †"
    return "★ " * bool(cell.best) + name + (f" (n={cell.n})" if cell.n != n else "") + own


def _draw(ax: Axes, panel: Panel) -> None:
    labels, _, _ = wrapped(panel.labels)
    ax.set_yticks(range(len(labels)), labels, fontsize=SIZE)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.axvline(0, color=BASELINE, linewidth=1.2, linestyle=(0, (5, 2)), zorder=1)
    for y, cell in enumerate(rows(panel.cells)):
        _line(ax, y, cell)
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.set_title(panel.heading, fontsize=SIZE + 1)


def _line(ax: Axes, y: int, cell: Any) -> None:
    colour, marker = LOOKS["control" if _is_control(cell) else "distilled"]
    low, high = ax.get_xlim()
    value = 100 * cell.difference
    if not low <= value <= high:  # far off: at the edge, as a number
        text, place, side = ("◂ {}", low, "left") if value < low else ("{} ▸", high, "right")
        ax.text(place, y, text.format(percent(cell.difference, "+")), ha=side, va="center", fontsize=SIZE, color=colour)
        return
    for ends, width in (((cell.family_low, cell.family_high), 1.0), ((cell.low, cell.high), 4.0)):
        if pd.notna(ends[0]):
            ax.plot([100 * end for end in ends], [y, y], color=colour, linewidth=width, solid_capstyle="butt", zorder=2)
    ax.plot(value, y, marker, color=colour, markeredgecolor="white", markersize=6, zorder=3)


def _scales(found: list[Panel]) -> list[tuple[float, float]]:
    """One scale for all panels, unless the differences in some would be lost in that of others."""
    own = [_limits(panel.cells) for panel in found]
    spans = [high - low for low, high in own]
    if max(spans) > UNLIKE * min(spans):
        return own
    return [(min(low for low, _ in own), max(high for _, high in own))] * len(found)


def _limits(cells: pd.DataFrame) -> tuple[float, float]:
    """All differences but those far off, and their intervals but for cells that stand alone."""
    cells = cells[~far_off(cells["difference"])]
    low, high = _ends(cells, "difference", "difference")
    low, high = min(-0.25, low), max(0.25, high)
    room = REACH * (high - low)
    pooled = cells[cells["family_low"].notna() & cells["pooled"]]
    if len(pooled):
        lowest, highest = _ends(pooled, "family_low", "family_high")
        low, high = max(low - room, min(low, lowest)), min(high + room, max(high, highest))
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def _cut(panel: Panel, scale: tuple[float, float]) -> bool:
    whole = panel.cells.dropna(subset="family_low")  # none has one where every comparison stands on no spread
    return bool(((100 * whole["family_low"] < scale[0]) | (100 * whole["family_high"] > scale[1])).any())


def _ends(cells: pd.DataFrame, low: str, high: str) -> tuple[float, float]:
    return 100 * float(cells[low].min()), 100 * float(cells[high].max())


def _is_control(cell: Any) -> bool:
    return bool(pd.notna(cell.control) and cell.control != "none")


def _legend(found: list[Panel], scales: list[tuple[float, float]]) -> str:
    """What stands below the picture."""
    cells = pd.concat([panel.cells for panel in found])
    if cells["low"].notna().any():
        words = ["Thick: 95 % interval of this one difference; thin: of all that are compared at once (Dunnett type)."]
        words += ["Cut at the edge."] if any(_cut(*pair) for pair in zip(found, scales, strict=True)) else []
    else:
        words = ["No intervals: no spread between seeds is known."]
    if (cells["pooled"] == False).fillna(False).any():  # noqa: E712 (three values)
        words += ["†: spreads unlike the others, so stands on its own paired differences."]
    if is_control(cells).any():
        words += ["Squares: negative controls, a family of their own."]
    left = sum(panel.left_out for panel in found)
    words += [f"The {left} lowest others are left out."] if left else []
    return " ".join(words)
