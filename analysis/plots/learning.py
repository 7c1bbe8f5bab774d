"""Runs and epochs -> learning curves: means over the seeds with their bands, the baseline in grey."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.plots.look import BAND, BASELINE, INTERVAL_FROM, SIZE, style, wrapped
from analysis.plots.names import names
from analysis.plots.paper import finished_cells, groups, label_figure, sheet
from analysis.stats.cells import BLOCK, far_off, is_control
from analysis.stats.curves import learning_curves as curves_of
from analysis.tables.grid import usual

WIDE, TALL = 4.6, 3.4  # inches of a panel
ALL, FEW = 7, 3  # so many cells are all named; of more the best few, and the worst
NAME = 34  # letters of a line of the legend
MARKS = 8  # markers on a curve
END, MAGNIFIED = 0.7, 8  # where the end of a budget begins; of so many epochs or more it is drawn once more, alone
WORDS = {"test_accuracy": "test accuracy", "validation_accuracy": "validation accuracy"}
THIN: Any = {"color": "0.72", "linewidth": 0.7, "zorder": 1}
GREY: Any = {"color": BASELINE, "linestyle": (0, (5, 2)), "linewidth": 1.6, "zorder": 4}


class Panel(NamedTuple):
    """One axes: its heading, the curves of its cells, the baseline that is named, and the labels of the others."""

    heading: str
    curves: dict[int, pd.DataFrame]
    baseline: dict[int, str]
    labels: dict[int, str]

    @property
    def others(self) -> list[int]:
        return [cell for cell in self.curves if cell not in self.labels and cell not in self.baseline]


def learning_curves(runs: pd.DataFrame, epochs: pd.DataFrame, column: str = "test_accuracy") -> Figure:
    """``column`` (test_accuracy or validation_accuracy) against the epoch, a panel for each student and budget.

    Line: mean over the finished runs of a cell; band: its 95 % interval, from three seeds on, or the range of two
    seeds. Of more than seven cells the three best by what selects and the worst are named beside the best's baseline,
    the others are thin grey lines. Raises ValueError if no run has finished, or none has two epochs to draw.
    """
    table = finished_cells(runs)
    curves = curves_of(runs, epochs, column)
    if not curves["cell"].duplicated().any():
        raise ValueError(f"no finished run has two epochs with a {WORDS[column]}: there is no curve to draw")
    by_cell = {int(str(cell)): curve for cell, curve in curves.groupby("cell")}
    found = [_panel(heading, group, by_cell) for heading, group in groups(table)]
    found = [panel for panel in found if panel.curves]
    columns = 2 if max(_last(panel) for panel in found) >= MAGNIFIED else 1
    figure, axes = sheet(len(found), columns, columns * WIDE + 2.6, len(found) * TALL + 1.2)
    for row, panel in enumerate(found):
        _draw_row(axes[columns * row : columns * (row + 1)], panel, WORDS[column])
    label_figure(figure, f"{WORDS[column].capitalize()} by epoch", table, "★", _legend(found))
    return figure


def _panel(heading: str, group: pd.DataFrame, by_cell: dict[int, pd.DataFrame]) -> Panel:
    curves = {cell: by_cell[cell] for cell in group.index if cell in by_cell}
    drawn = group.loc[list(curves)]
    order = ["best", "is_baseline", "selected_by"]
    ranked = drawn.sort_values(order, ascending=[False, True, False], kind="stable")
    block = drawn.groupby([*BLOCK], dropna=False).ngroup()
    own = [cell for cell in drawn.index[drawn["is_baseline"]] if block[cell] == block[ranked.index[0]]]
    named = [cell for cell in ranked.index if cell not in own]
    said = {cell: _label(name, curves[cell], usual(group)) for cell, name in names(group).items() if cell in curves}
    labels = {cell: "★ " * bool(drawn.at[cell, "best"]) + said[cell] for cell in named}
    if len(named) > ALL:
        judged = ranked[~ranked["is_baseline"] & ranked["selected_by"].notna()]
        cells = list(judged.index[~is_control(judged)])
        labels = {cell: labels[cell] for cell in cells[:FEW]} | {c: f"worst: {said[c]}" for c in cells[FEW:][-1:]}
    return Panel(heading, curves, {cell: said[cell] for cell in own}, labels)


def _label(name: str, curve: pd.DataFrame, n: int) -> str:
    own = int(curve["n"].iloc[0])
    (text,), _, _ = wrapped([name if own == n else f"{name} (n={own})"], NAME)
    return text


def _last(panel: Panel) -> int:
    return int(max(curve["epoch"].max() for curve in panel.curves.values()))


def _draw_row(axes: list[Axes], panel: Panel, what: str) -> None:
    """All epochs, and beside them the last ones on a scale of their own."""
    last = _last(panel)
    for ax, first in zip(axes, (1, math.ceil(END * last)), strict=False):
        _draw(ax, panel)
        margin = min(0.9, 0.1 + 0.02 * (last - first))
        ax.set(xlim=(first - margin, last + margin), ylim=_limits(panel, first))
        ax.set_title(", ".join(filter(None, [panel.heading, "the end" if first > 1 else ""])), fontsize=SIZE + 1)
        ax.set_xlabel("epoch", fontsize=SIZE)
        ax.set_ylabel(f"{what} (%)", fontsize=SIZE)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    handles, labels = axes[0].get_legend_handles_labels()
    look: Any = {"frameon": False, "fontsize": SIZE, "handlelength": 2.8}
    axes[-1].legend(handles, labels, loc="center left", bbox_to_anchor=(1.01, 0.5), **look)


def _draw(ax: Axes, panel: Panel) -> None:
    for cell in panel.baseline:
        _curve(ax, panel.curves[cell], panel.baseline[cell], GREY, BAND, 1.0)
    for place, (cell, label) in enumerate(panel.labels.items()):
        every = max(1, len(panel.curves[cell]) // MARKS)
        marks = {"linewidth": 1.4, "markersize": 5, "markevery": (place % every, every), "zorder": 3}
        _curve(ax, panel.curves[cell], label, style(place) | marks, style(place)["color"], 0.15)
    for place, cell in enumerate(panel.others):
        many = f"the {len(panel.others)} other cells"
        ax.plot(*_points(panel.curves[cell], "mean"), label=many if place == 0 else None, **THIN)


def _curve(ax: Axes, curve: pd.DataFrame, label: str, look: dict[str, Any], colour: str, alpha: float) -> None:
    ax.plot(*_points(curve, "mean"), label=label, **look)
    if curve["n"].iloc[0] < 2:
        return
    x, low = _points(curve, "lowest")
    _, high = _points(curve, "highest")
    if curve["n"].iloc[0] >= INTERVAL_FROM:
        half = 100 * curve["half_width"].to_numpy(float)
        low, high = _points(curve, "mean")[1] - half, _points(curve, "mean")[1] + half
    ax.fill_between(x, low, high, color=colour, alpha=alpha, linewidth=0, zorder=0.5 if alpha == 1 else 2)


def _points(curve: pd.DataFrame, column: str) -> tuple[Any, Any]:
    return curve["epoch"].to_numpy(int), 100 * curve[column].to_numpy(float)


def _limits(panel: Panel, first: int) -> tuple[float, float]:
    """What the seeds gave from epoch ``first`` on, but for curves that end far off."""
    ends = pd.Series({cell: curve["mean"].iloc[-1] for cell, curve in panel.curves.items()})
    kept = pd.concat([curve for cell, curve in panel.curves.items() if not far_off(ends)[cell]])
    kept = kept[kept["epoch"] >= min(first, kept["epoch"].max())]
    low, high = 100 * kept["lowest"].min(), 100 * kept["highest"].max()
    margin = 0.06 * max(high - low, 0.5)
    return low - margin, high + margin


def _legend(found: list[Panel]) -> str:
    """What stands below the picture."""
    n = {int(curve["n"].iloc[0]) for panel in found for curve in panel.curves.values()}
    words = ["Lines: means over the finished runs."]
    words += (
        [f"Bands: 95 % interval of the mean (t), from {INTERVAL_FROM} seeds on."] if max(n) >= INTERVAL_FROM else []
    )
    words += ["Bands of n = 2: the two seeds." if max(n) > 2 else "Bands: the two seeds."] if 2 in n else []
    words += ["n = 1: no spread is known."] if max(n) == 1 else []
    if any(panel.others for panel in found):
        words += [f"Named: the {FEW} best by what selects, the worst, the best's baseline; thin: the other cells."]
    ends = [curve["epoch"].max() for panel in found for curve in panel.curves.values()]
    words += ["A curve ends where the first of its runs did."] if min(ends) < max(ends) and len(found) == 1 else []
    words += ["No baseline has finished."] if not any(panel.baseline for panel in found) else []
    far = sum(far_off(pd.Series([c["mean"].iloc[-1] for c in panel.curves.values()])).sum() for panel in found)
    words += [f"Of cells that ended far off ({far}) the scale takes no notice."] if far else []
    return " ".join(words)
