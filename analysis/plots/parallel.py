"""Runs -> parallel coordinates: an axis for each swept field, a line for each cell, coloured by its accuracy."""

from __future__ import annotations

from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from analysis.plots.axes import star_above
from analysis.plots.look import BASELINE, SIZE, SMALL, wrapped
from analysis.plots.names import SIGNS
from analysis.plots.paper import finished_cells, groups, label_figure, rows, sheet
from analysis.stats.cells import far_off
from analysis.tables.grid import ABSENT, described, varying

APART, TALL = 1.5, 3.6  # inches: between two axes, and of a panel
FEW = 10  # values of a number up to which each has a place of its own
SPREAD = 0.66  # of the room between two places: over so much the lines through one place are spread
MAP = "cividis_r"  # perceptually even, to colour-blind eyes too, and a ramp of greys in print; dark is accurate
TICKS = 5  # on an axis of numbers
LETTERS = 16  # of a line of a word on an axis


class Axis(NamedTuple):
    """A field: where each cell lies on it (from 0 to 1), the ticks with their words, and the ends of its pieces."""

    name: str
    at: pd.Series
    ticks: dict[float, str]
    pieces: list[tuple[float, float]]


def parallel_coordinates(runs: pd.DataFrame) -> Figure:
    """A line for each distilled cell with a finished run; the colour, and the last axis, are its mean test accuracy.

    Fields of few values have a place for each, over which the lines are spread, the more accurate above; numbers of
    many values lie on a scale. A panel for each student and budget. Raises ValueError if no run has finished, or
    nothing was swept.
    """
    table = finished_cells(runs)
    found = [(heading, _shown(group), group) for heading, group in groups(table)]
    found = [(heading, cells, group) for heading, cells, group in found if _fields(cells)]
    if not found:
        raise ValueError("nothing was swept: no two finished distilled cells differ")
    widest = max(len(_fields(cells)) for _, cells, _ in found)
    figure, axes = sheet(len(found), 1, APART * (widest + 1) + 1.2, TALL * len(found) + 1.2)
    for ax, (heading, cells, group) in zip(axes, found, strict=True):
        _draw(ax, cells, group)
        ax.set_title(heading, fontsize=SIZE + 1, pad=22)
    shown = pd.concat([cells for _, cells, _ in found])
    label_figure(figure, "What was tried, and its mean test accuracy, last epoch", table, "★", _legend(shown, table))
    return figure


def _shown(group: pd.DataFrame) -> pd.DataFrame:
    """The cells in the order of drawing: the best last, on top."""
    cells = group[~group["is_baseline"] & (group["n"] > 0)]
    return cells.sort_values(["best", "mean"], kind="stable")


def _fields(cells: pd.DataFrame) -> list[str]:
    return [name for name in varying(cells) if cells.shape[0] > 1]


def _draw(ax: Axes, cells: pd.DataFrame, group: pd.DataFrame) -> None:
    axes = [_axis(cells, name) for name in _fields(cells)]
    colours = _scale(cells)
    height = pd.Series(np.clip(colours.norm(100 * cells["mean"].to_numpy(float)), 0, 1), cells.index)
    for cell in rows(cells):
        ys = [*(axis.at[cell.Index] for axis in axes), height[cell.Index]]
        line = ax.plot(range(len(ys)), ys, color=colours.to_rgba(100 * cell.mean), linewidth=1.3, zorder=2)[0]
        if cell.best:
            line.set(linewidth=3.5, zorder=4)
            line.set_path_effects([withStroke(linewidth=7, foreground="white")])
            star_above(ax, len(axes) - 0.06, ys[-1])
    for place, axis in enumerate(axes):
        _ruler(ax, place, axis)
    _accuracy(ax, len(axes), colours, cells, group)
    ax.set(xlim=(-0.35, len(axes) + 0.02), ylim=(-0.04, 1.04))
    ax.set_axis_off()


def _axis(cells: pd.DataFrame, name: str) -> Axis:
    words = pd.Series([words[0] for words in described(cells, [name])], cells.index)
    title = f"{name} {SIGNS[name]}" if name in SIGNS else name
    numbers = pd.to_numeric(words, errors="coerce")
    if numbers.nunique() > FEW and (numbers.notna() | (words == ABSENT)).all():
        return _scaled(title, numbers)
    order = sorted(set(words), key=lambda word: _key(word))
    return _places(title, words, order, cells["mean"])


def _key(word: str) -> tuple[int, float, str]:
    """Absent first, then numbers, then words."""
    try:
        return (1, float(word), "")
    except ValueError:
        return (0 if word == ABSENT else 2, 0.0, word)


def _places(title: str, words: pd.Series, order: list[str], mean: pd.Series) -> Axis:
    """A place for each word; the lines through it are spread by their accuracy, so that they can be told apart."""
    room = 1 / len(order)
    rank = mean.groupby(words).rank(method="first")
    share = (rank - 0.5) / words.map(words.value_counts()) - 0.5
    middle = words.map({word: (place + 0.5) * room for place, word in enumerate(order)})
    ticks = {(place + 0.5) * room: "none" if word == ABSENT else word for place, word in enumerate(order)}
    half = (SPREAD / 2 + 0.03) * room
    pieces = [(middle - half, middle + half) for middle in ticks]
    return Axis(title, middle.astype(float) + SPREAD * room * share.astype(float), ticks, pieces)


def _scaled(title: str, numbers: pd.Series) -> Axis:
    """Numbers of many values, on the scale that has their median nearer its middle; what has none at the bottom."""
    log = numbers.min() > 0 and _lopsided(np.log10(numbers)) < _lopsided(numbers)
    values = np.log10(numbers) if log else numbers
    low, high = float(values.min()), float(values.max())
    bottom = 0.14 if numbers.isna().any() else 0.0
    at = bottom + (1 - bottom) * (values - low) / (high - low)
    marks = np.linspace(low, high, TICKS)
    ticks = {bottom + (1 - bottom) * float((m - low) / (high - low)): f"{10**m if log else m:.3g}" for m in marks}
    return Axis(title, at.fillna(0.0), ({0.0: "none"} if bottom else {}) | ticks, [(bottom, 1.0)])


def _lopsided(values: pd.Series) -> float:
    """How far the median lies from the middle of the range."""
    return abs(float((values.median() - values.min()) / (values.max() - values.min())) - 0.5)


def _scale(cells: pd.DataFrame) -> ScalarMappable:
    """Colours over the means in per cent, but for cells that have diverged."""
    means = 100 * cells.loc[~far_off(cells["mean"]), "mean"].astype(float)
    middle, half = (means.max() + means.min()) / 2, max((means.max() - means.min()) / 2, 0.05)
    return ScalarMappable(Normalize(middle - half, middle + half), mpl.colormaps[MAP])


def _ruler(ax: Axes, place: int, axis: Axis) -> None:
    for piece in axis.pieces:
        ax.plot([place, place], piece, color="0.3", linewidth=1.2, zorder=3)
    ax.annotate(axis.name, (place, 1.0), (0, 8), textcoords="offset points", ha="center", fontsize=SIZE, zorder=6)
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1}
    for at, word in axis.ticks.items():
        (text,), _, _ = wrapped([word], LETTERS)
        ax.annotate(
            text, (place, at), (-4, 0), textcoords="offset points", ha="right", va="center", fontsize=SMALL,
            bbox=box, zorder=5,
        )  # fmt: skip


def _accuracy(ax: Axes, place: int, colours: ScalarMappable, cells: pd.DataFrame, group: pd.DataFrame) -> None:
    """The last axis: the colours themselves, with the best, and the baseline where there is one."""
    side = ax.inset_axes((1.0, 0.04 / 1.08, 0.025, 1 / 1.08))
    bar = ax.figure.colorbar(colours, cax=side)
    bar.ax.tick_params(labelsize=SMALL)
    bar.set_label("mean test accuracy (%)", fontsize=SIZE)
    low, high = (float(end) for end in colours.get_clim())
    baselines = [100 * float(mean) for mean in group.loc[group["is_baseline"] & (group["n"] > 0), "mean"]]
    if len(baselines) == 1:
        y = (min(max(baselines[0], low), high) - low) / (high - low)
        ax.plot([place - 0.15, place], [y, y], color=BASELINE, linewidth=2, linestyle=(0, (2, 1)), zorder=8)
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1}
        text, at = f"baseline {baselines[0]:.2f}", (place - 0.15, y)
        ax.annotate(
            text, at, (-2, 0), textcoords="offset points", ha="right", va="center", fontsize=SMALL, bbox=box, zorder=8
        )


def _legend(cells: pd.DataFrame, table: pd.DataFrame) -> str:
    """What stands below the picture."""
    words = ["A line is a cell, the best thick. Lines through one value are spread, the more accurate above."]
    off = int(far_off(cells["mean"]).sum())
    words += [f"{off} far off drawn at the end of the scale."] if off else []
    left = int((~table["is_baseline"]).sum()) - len(cells)
    words += [f"{left} without a finished run left out."] if left else []
    return " ".join(words)
