"""Runs -> what a student costs against what it can: accuracy by size and by latency, with the Pareto fronts."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from analysis.plots.axes import interval, limits, spread
from analysis.plots.beside import Name, place_names
from analysis.plots.look import BASELINE, COLOURS, INTERVAL_FROM, SIZE
from analysis.plots.names import phrase
from analysis.plots.paper import finished_cells, label_figure, name_lines, rows, sheet
from analysis.stats.budget import MILLISECONDS, Budget, judged
from analysis.stats.front import SETTING
from analysis.tables.grid import described

WIDE, TALL = 4.6, 3.9  # inches of a panel
STEPS = 40  # points on a side of a step of the front, which names may not cover
NEAR = 10.0  # points, or twice the span of the students: how far those without a teacher may stretch the scale
ROOM = 2.0  # the x axis beyond the cheapest and the dearest, as a factor


class Cost(NamedTuple):
    """What lies across: its words, the factor from column to axis, the column, and that of the front."""

    label: str
    factor: float
    column: str
    front: str


SIZE_OF = Cost("trainable parameters", 1.0, "parameters", "by_size")
LATENCY = Cost("latency of one image (ms)", MILLISECONDS, "latency_seconds", "by_latency")


class Panel(NamedTuple):
    """One axes: its heading, its students, and what lies across."""

    heading: str
    students: pd.DataFrame
    cost: Cost


def pareto(runs: pd.DataFrame) -> Figure:
    """Mean test accuracy after the last epoch against parameters, and against latency where it was measured.

    A point is a student: of its longest budget the cell that selection chose (``stats.front.contenders``). The line
    joins those that no cheaper one equals. Rows are data sets and protocols; latencies have a panel for each device.
    Raises ValueError if no run has finished, or no student's size is known, or there is but one.
    """
    table = finished_cells(runs)
    students = judged(runs, Budget())
    grid = [row for _, group in students.groupby([*SETTING], dropna=False) if (row := _row(group, students))]
    if not grid:
        raise ValueError("neither size nor latency of a student with all of its runs finished is known")
    if len(students) < 2:
        raise ValueError("one student alone: there is none to compare it with")
    columns = max(map(len, grid))
    figure, axes = sheet(len(grid), columns, columns * WIDE + 1.4, len(grid) * TALL + 1.2)
    named: list[tuple[Axes, list[Name], list[tuple[float, float]]]] = []
    for place, row in enumerate(grid):
        for ax, panel in zip(axes[columns * place : columns * (place + 1)], row, strict=False):
            named.append((ax, *_draw(ax, panel)))
        for ax in axes[columns * place + len(row) : columns * (place + 1)]:
            ax.remove()
    name_lines(figure, _handles(students))
    used = table[table["student"].isin(students["student"])]
    label_figure(figure, "Test accuracy by cost of the student, last epoch", used, "", _legend(students))
    for ax, names, visible in named:
        place_names(figure, ax, names, visible)
    return figure


def _row(group: pd.DataFrame, students: pd.DataFrame) -> list[Panel]:
    """The panels of one data set and protocol."""
    fields = [name for name in SETTING if students[name].nunique(dropna=False) > 1]
    heading = phrase(fields, described(group, fields)[0])
    known = group[group["parameters"].notna()]
    panels = [Panel(heading, known, SIZE_OF)] if len(known) else []
    timed = group[group["latency_seconds"].notna()]
    for device, own in timed.groupby("device"):
        where = f"on {device!s}"
        panels.append(Panel(", ".join(filter(None, [heading, where])), own, LATENCY))
    return panels


def _draw(ax: Axes, panel: Panel) -> tuple[list[Name], list[tuple[float, float]]]:
    """Draws a panel; the names that are to stand beside its points, and what they may not cover."""
    students = panel.students.assign(at=panel.cost.factor * panel.students[panel.cost.column].astype("float64"))
    budgets = students["epochs"].nunique() > 1
    _scales(ax, students, panel)
    names = []
    for cell in rows(students):
        _point(ax, cell)
        text = f"{cell.student}, {cell.epochs} epochs" if budgets else str(cell.student)
        names.append(Name(text, cell.at, 100 * cell.mean))
    front = students[students[panel.cost.front]].sort_values("at")
    corners = [(float(at), 100 * float(mean)) for at, mean in zip(front["at"], front["mean"], strict=True)]
    ax.step(*zip(*corners, strict=True), where="post", color=COLOURS[3], linewidth=1.4, zorder=2)
    without = students[students["without_teacher"].notna()]
    hollow = [(float(cell.at), 100 * float(cell.without_teacher)) for cell in rows(without)]
    bars = [(float(cell.at), float(up)) for cell in rows(students) for up in np.linspace(*spread(cell), 9)]
    return names, hollow + bars + _along(corners)


def _along(corners: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points close to one another on the steps of a front."""
    found: list[tuple[float, float]] = []
    for (x, y), (right, top) in pairwise(corners):
        found += [(float(at), y) for at in np.geomspace(x, right, STEPS)]
        found += [(right, float(up)) for up in np.linspace(y, top, STEPS)]
    return found


def _scales(ax: Axes, students: pd.DataFrame, panel: Panel) -> None:
    low, high = limits(rows(students))
    without = 100 * students["without_teacher"].dropna().astype(float)
    room = max(2 * (high - low), NEAR)
    near = without[without.between(low - room, high + room)]
    ax.set(xscale="log", xlim=(students["at"].min() / ROOM, students["at"].max() * ROOM))
    ax.set_ylim(min([low, *(near - 0.04 * (high - low))]), max([high, *(near + 0.04 * (high - low))]))
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(FuncFormatter(_short))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(panel.cost.label, fontsize=SIZE)
    ax.set_ylabel("test accuracy (%)", fontsize=SIZE)
    ax.set_title(panel.heading, fontsize=SIZE + 1)


def _point(ax: Axes, cell: Any) -> None:
    """A student with its interval, and what it reaches without a teacher."""
    bar = interval(cell)
    if bar:
        ax.plot([cell.at, cell.at], bar, color=COLOURS[0], linewidth=1.2, zorder=3)
    if not cell.is_baseline and pd.notna(cell.without_teacher):
        grey: Any = {"color": BASELINE, "markerfacecolor": "white", "markersize": 4}
        ax.plot(cell.at, 100 * cell.without_teacher, "o", **grey, zorder=3)
    face = "white" if cell.is_baseline else COLOURS[0]
    ax.plot(cell.at, 100 * cell.mean, "o", color=COLOURS[0], markerfacecolor=face, markersize=7, zorder=4)


def _short(number: float, _: int | None = None) -> str:
    """'78k', '1.2M', '0.35'."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.3g}{name}"
    return f"{number:.3g}"


def _handles(students: pd.DataFrame) -> list[Line2D]:
    blue: Any = {"color": COLOURS[0], "linestyle": "none", "markersize": 7}
    handles = [Line2D([], [], marker="o", label="distilled", **blue)] if (~students["is_baseline"]).any() else []
    if students["is_baseline"].any():
        label = "not distilled:\nno distilled one\nwas selected"
        handles.append(Line2D([], [], marker="o", markerfacecolor="white", label=label, **blue))
    if students.loc[~students["is_baseline"], "without_teacher"].notna().any():
        look: Any = {"color": BASELINE, "markerfacecolor": "white", "linestyle": "none", "markersize": 4}
        handles.append(Line2D([], [], marker="o", label="the same,\nnot distilled", **look))
    return [*handles, Line2D([], [], color=COLOURS[3], label="front")]


def _legend(students: pd.DataFrame) -> str:
    """What stands below the picture."""
    words = ["Of each student the cell that selection chose, of its longest budget."]
    words += ["Front: no cheaper one is as accurate."]
    words += ["Bars: 95 % interval of the mean (t), cut at the edge."] if (students["n"] >= INTERVAL_FROM).any() else []
    few = sorted({int(n) for n in students["n"] if n < INTERVAL_FROM})
    words += [f"n = {', '.join(map(str, few))}: no interval is drawn."] if few else []
    if students["latency_seconds"].notna().any():
        words += ["Latency: median over the runs, measured with other runs beside them."]
    else:
        words += ["Latency was not measured."]
    return " ".join(words)
