"""Scales, ticks, bands and what lies beyond the edge, alike in every figure. All numbers in per cent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, NullLocator

from analysis.plots.look import BAND, BASELINE, INTERVAL_FROM, LETTER, SIZE
from analysis.stats.cells import far_off, half_width
from analysis.tables.grid import percent

LOGARITHMIC = 8.0  # an axis whose largest value is so many times its smallest


def interval(cell: Any) -> tuple[float, float] | None:
    """The 95 % interval of a cell's mean (t); None for fewer than ``INTERVAL_FROM`` seeds."""
    if cell.n < INTERVAL_FROM:
        return None
    half = 100 * half_width(cell.sd, cell.n)
    return 100 * cell.mean - half, 100 * cell.mean + half


def seed_values(cell: Any) -> list[float]:
    """What the seeds of a cell gave."""
    return [100 * value for value in cell.by_seed.values()]


def spread(cell: Any) -> tuple[float, float]:
    """The interval where there is one, else the range of the seeds."""
    values = seed_values(cell)
    return interval(cell) or (min(values), max(values))


def limits(cells: Iterable[Any]) -> tuple[float, float]:
    """A scale that holds all seeds, but for cells that have diverged, and their intervals if these are not huge."""
    found = [cell for cell in cells if cell.n]
    off = far_off(pd.Series([float(cell.mean) for cell in found]))
    kept = [cell for cell, far in zip(found, off, strict=True) if not far]
    seeds = [value for cell in kept for value in seed_values(cell)]
    low, high = min(seeds), max(seeds)
    room = max(high - low, 0.5)
    ends = [end for cell in kept for end in spread(cell)]
    low, high = max(min(ends), low - room), min(max(ends), high + room)
    margin = 0.06 * max(high - low, 0.5)
    return low - margin, high + margin


def band(ax: Axes, cell: Any) -> None:
    """The baseline across the axes: its mean as a line, its interval, or the range of two seeds, as a band."""
    low, high = spread(cell)
    if cell.n > 1:
        ax.axhspan(low, high, color=BAND, linewidth=0, zorder=0)
    ax.axhline(100 * cell.mean, color=BASELINE, linewidth=1.2, linestyle=(0, (5, 2)), zorder=1)


def at_edges(ax: Axes, points: Iterable[tuple[float, Any, str]]) -> None:
    """Names (x, cell, colour) whose mean lies beyond the y axis at its edge, as a number; several stand in a pile."""
    low, high = ax.get_ylim()
    piles: dict[tuple[float, bool], int] = {}
    for x, cell, colour in points:
        mean = 100 * cell.mean
        if low <= mean <= high:
            continue
        below = mean < low
        place = piles.setdefault((x, below), 0)
        piles[x, below] += 1
        offset = (0, (3 + 11 * place) * (1 if below else -1))
        text = f"{'▾' if below else '▴'} {percent(cell.mean)}"
        side = "bottom" if below else "top"
        ax.annotate(
            text, (x, low if below else high), offset, textcoords="offset points",
            ha="center", va=side, fontsize=SIZE - 1.5, color=colour, zorder=6,
        )  # fmt: skip


def logarithmic(values: Sequence[float]) -> bool:
    """Whether numbers span enough for a logarithmic axis."""
    return min(values) > 0 and max(values) >= LOGARITHMIC * min(values)


def place_ticks(ax: Axes, values: Sequence[float], inches: float) -> None:
    """Ticks of the x axis at exactly these values, on a scale that suits them; labels only where they have room."""
    values = sorted(values)
    log = logarithmic(values)
    if log:
        ax.set_xscale("log")
    along = np.log(values) if log else np.asarray(values)
    length = float(along[-1] - along[0]) or 1.0
    ax.xaxis.set_major_locator(FixedLocator(values))
    ax.xaxis.set_minor_locator(NullLocator())
    labels, free = [], -np.inf
    for value, place in zip(values, along, strict=True):
        at, room = (place - along[0]) / length * inches, LETTER * (len(f"{value:g}") + 1) / 2
        labels.append(f"{value:g}" if at - room >= free else "")
        free = at + room if labels[-1] else free
    ax.set_xticks(values, labels)
    ends = (values[0], values[-1])
    margin = 0.07 * length if len(values) > 1 else 0.5
    low, high = (np.log(ends) if log else np.asarray(ends)) + np.array([-margin, margin])
    ax.set_xlim(float(np.exp(low) if log else low), float(np.exp(high) if log else high))


def dodged(ax: Axes, x: float, share: float) -> float:
    """``x`` moved by a share of the axis, whatever its scale."""
    to_axes = ax.transScale + ax.transLimits
    across, up = to_axes.transform((x, ax.get_ylim()[0]))
    return float(to_axes.inverted().transform((across + share, up))[0])


def note(ax: Axes, text: str, x: float, y: float, colour: str) -> None:
    """A small word beside a point, legible on what lies below it."""
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
    ax.annotate(
        text, (x, y), (5, 4), textcoords="offset points", fontsize=SIZE - 2, color=colour, bbox=box, zorder=6
    )  # fmt: skip


def star(ax: Axes, x: float, y: float) -> None:
    """Marks the best: a star around its marker, so that no other point can be meant."""
    look: Any = {"color": "black", "markerfacecolor": "white", "markersize": 19, "markeredgewidth": 1.1}
    ax.plot(x, y, "*", **look, linestyle="none", zorder=2.9)  # markers and their lines are at 3


def star_above(ax: Axes, x: float, y: float) -> None:
    """Marks the best, above the end of its line."""
    text = ax.annotate("★", (x, y), (0, 5), textcoords="offset points", ha="center", fontsize=SIZE + 2, zorder=7)
    text.set_path_effects([withStroke(linewidth=2, foreground="white")])
