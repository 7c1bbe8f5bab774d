"""Runs -> how often the student says what its teacher says, against how often it is right."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.plots.axes import limits, spread, star
from analysis.plots.look import BASELINE, INTERVAL_FROM, SIZE, style
from analysis.plots.paper import finished_cells, groups, label_figure, name_lines, rows, sheet
from analysis.stats.cells import cells, far_off, is_control
from analysis.tables.grid import described, varying

SIDE = 4.0  # inches of a panel
ACROSS = 3
MANY = 15  # cells whose bars lie over one another
KINDS = ("method", "mode", "teacher")  # what is told apart by colour: the first in which cells differ
BASE = "baseline"


def agreement(runs: pd.DataFrame) -> Figure:
    """Share of the test images that student and teacher give one class, against test accuracy; a point for each cell.

    Bars: 95 % intervals of both means, from three seeds on. The baseline, which saw no teacher, is there where all
    cells have one teacher. A panel for each student and budget. Raises ValueError if no run has finished, or no
    agreement was recorded.
    """
    table = finished_cells(runs)
    agreeing = cells(runs, "teacher_agreement")
    drawn = table[(table["n"] > 0) & (agreeing["n"] > 0)]
    if drawn.empty or drawn["is_baseline"].all():
        raise ValueError("no finished distilled run has recorded its agreement with the teacher")
    found = [(heading, group) for heading, group in groups(drawn, table) if not group["is_baseline"].all()]
    columns = min(ACROSS, len(found))
    lines = math.ceil(len(found) / columns)
    figure, axes = sheet(lines, columns, columns * SIDE + 1.8, lines * SIDE + 1.2)
    kinds = _kinds(table)
    styles = {kind: style(place) for place, kind in enumerate(k for k in dict.fromkeys(kinds) if k != BASE)}
    styles[BASE] = {"color": BASELINE, "marker": "s"}
    for ax in axes[len(found) :]:
        ax.remove()
    for ax, (heading, group) in zip(axes, found, strict=False):
        shown = group if group["teacher"].nunique() == 1 else group[~group["is_baseline"]]
        _draw(ax, shown, agreeing.loc[shown.index], [styles[kinds[cell]] for cell in shown.index])
        ax.set_title(heading, fontsize=SIZE + 1)
    name_lines(figure, [_handle(kind, styles[kind]) for kind in styles if kind in set(kinds[drawn.index])])
    label_figure(figure, "Agreement with the teacher and test accuracy, last epoch", table, "★", _legend(table, drawn))
    return figure


def _kinds(table: pd.DataFrame) -> pd.Series:
    """What colour and marker stand for, by cell: method or mode, whichever varies, controls and the baseline."""
    kind = next((name for name in KINDS if name in varying(table)), "method")
    words = pd.Series([words[0] for words in described(table, [kind])], table.index, dtype=object)
    controls = "control: " + table["control"].astype(str)
    return words.mask(is_control(table), controls).mask(table["is_baseline"], BASE)


def _draw(ax: Axes, group: pd.DataFrame, agreeing: pd.DataFrame, looks: list[dict[str, Any]]) -> None:
    across, up = list(rows(agreeing)), list(rows(group))
    ax.set(xlim=limits(across), ylim=limits(up))
    for x, y, look in zip(across, up, looks, strict=True):
        at = (100 * x.mean, 100 * y.mean)
        faint = 0.3 if len(up) > MANY and not (y.best or y.is_baseline) else 0.8
        bars: Any = {"color": look["color"], "linewidth": 0.9, "alpha": faint, "zorder": 2}
        if x.n >= INTERVAL_FROM:
            ax.plot(spread(x), [at[1]] * 2, **bars)
        if y.n >= INTERVAL_FROM:
            ax.plot([at[0]] * 2, spread(y), **bars)
        face = "white" if y.is_baseline else look["color"]
        ax.plot(*at, look["marker"], color=look["color"], markerfacecolor=face, markersize=6, zorder=3)
        if y.best:
            star(ax, *at)
    ax.set_xlabel("agreement with the teacher (% of the test images)", fontsize=SIZE)
    ax.set_ylabel("test accuracy (%)", fontsize=SIZE)


def _handle(kind: str, look: dict[str, Any]) -> Line2D:
    face = "white" if kind == BASE else look["color"]
    label = "baseline,\nnot distilled" if kind == BASE else kind
    return Line2D(
        [], [], color=look["color"], marker=look["marker"], markerfacecolor=face, linestyle="none", label=label
    )


def _legend(table: pd.DataFrame, drawn: pd.DataFrame) -> str:
    """What stands below the picture."""
    words = ["A point is a cell."]
    words += ["Bars: 95 % intervals of the means (t), cut at the edge."] if (drawn["n"] >= INTERVAL_FROM).any() else []
    far = sum(int(far_off(group["mean"]).sum()) for _, group in groups(drawn))
    words += [f"{far} far off not shown."] if far else []
    left = int(((table["n"] > 0) & ~table.index.isin(drawn.index)).sum())
    words += [f"{left} without a recorded agreement left out."] if left else []
    if drawn.loc[~drawn["is_baseline"], "teacher"].nunique() > 1 and drawn["is_baseline"].any():
        words += ["Cells have several teachers: the baselines agree with no one of them in particular."]
    return " ".join(words)
