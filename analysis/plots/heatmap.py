"""Runs -> figures. Object interface only, no global state of pyplot, so that any thread or test may draw."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle

from analysis.plots.look import SIZE, SMALL
from analysis.plots.paper import finished_cells, groups, label_figure
from analysis.stats.differences import compared
from analysis.tables.grid import ABSENT, Panel, absence, panels, percent, usual

CELL = (1.05, 0.62)  # inches: two lines of text of SMALL points, the longer '-52.31 ± 12.34'


def heatmap(runs: pd.DataFrame) -> Figure:
    """Alpha (rows) x temperature (columns), a panel for each mode and each combination of other varying fields.

    Colour and upper number: gain over the baseline in percentage points, one scale over all panels, centred at 0,
    and the sd of the differences by seed; lower number: mean test accuracy after the last epoch in %. The best by
    validation is framed, cells without a finished run are hatched. Where there is no baseline, colours are means; the
    title says so. Raises ValueError if no run has finished, or alpha and temperature are no grid in these runs.
    """
    table = compared(finished_cells(runs))
    grids = _apart(table)
    if not drawable(grids):
        raise ValueError("no grid of alpha and temperature: see cells")
    return _grids(grids, table)


def drawable(grids: list[Panel]) -> bool:
    """Whether any cell of the panels has a finished run."""
    return any(cell.n for panel in grids for cell in panel.cells.values())


def _apart(table: pd.DataFrame) -> list[Panel]:
    """The panels of each data set, student, budget and protocol for themselves, and so named."""
    found = [
        panel._replace(heading=", ".join(filter(None, [heading, panel.heading])))
        for heading, group in groups(table)
        for panel in panels(group)
    ]
    swept = any(len(panel.cells) > 1 for panel in found)
    return found if swept or len(found) == 1 else []


def _grids(grids: list[Panel], table: pd.DataFrame) -> Figure:
    gains = bool(table["gain"].notna().any())
    figure, axes = _frame(grids)
    colours = _scale(table[~table["is_baseline"]], gains)
    for ax, panel in zip(axes, grids, strict=True):
        _draw(ax, panel, colours, gains, usual(table))
    unit = "gain (percentage points)" if gains else "mean accuracy (%)"
    # slim however tall the figure is: aspect counts in widths of the bar
    figure.colorbar(colours, ax=axes, label=unit, aspect=6 * figure.get_figheight(), extend=_extend(table, colours))
    what = "Gain over the baseline in test accuracy" if gains else "Mean test accuracy (no baseline to compare with)"
    gain = "gain ± sd of the differences by seed" if table["gain_sd"].notna().any() else "gain"
    shown = [cell for panel in grids for cell in panel.cells.values()]
    legend = f"Upper number: {gain}; lower: mean (%)." if gains else ""
    if any(_clear(cell) for cell in shown):
        legend += " *: the gain's simultaneous 95 % interval, over all cells that are compared, excludes 0."
    frame = "Frame" if any(cell.best for cell in shown) else ""
    label_figure(figure, f"{what}, last epoch", table, frame, legend)
    return figure


def _frame(grids: list[Panel]) -> tuple[Figure, list[Axes]]:
    """A figure with an axes for each panel, all cells of one size; modes lie side by side."""
    modes = len({panel.mode for panel in grids})
    room = 3 if max(len(panel.heading) for panel in grids) > 24 else 1  # cells that a long heading needs
    wide = max(room, *(len(panel.temperatures) for panel in grids))
    tall = max(len(panel.alphas) for panel in grids)
    short = len(grids) if len(grids) * wide <= 9 else math.ceil(math.sqrt(len(grids)))
    columns = modes if 1 < modes < len(grids) else short
    rows = math.ceil(len(grids) / columns)
    width = max(6.5, columns * (wide * CELL[0] + 0.9) + 1.2)
    height = max(3.6, rows * (tall * CELL[1] + 1.0) + 1.2)
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(h_pad=0.09))
    axes = list(figure.subplots(rows, columns, squeeze=False).flatten())
    for ax in axes[len(grids) :]:
        ax.remove()
    for ax in axes[: len(grids)]:  # a smaller panel keeps the others' extent, and leaves the rest of it empty
        ax.set(xlim=(-0.5, wide - 0.5), ylim=(tall - 0.5, -0.5), aspect=CELL[1] / CELL[0])
    return figure, axes[: len(grids)]


def _scale(table: pd.DataFrame, gains: bool) -> ScalarMappable:
    """Colours for percentage points of gain, symmetric about 0, or for mean accuracy in per cent."""
    if not gains:
        means = 100 * table["mean"].dropna()
        return ScalarMappable(Normalize(means.min() - 0.05, means.max() + 0.05), mpl.colormaps["cividis"])
    sizes = 100 * table["gain"].dropna().abs()
    largest, usual_size = sizes.max(), sizes.quantile(0.5, interpolation="lower")
    # diverged cells, 70 points down, must not paint all the others white: beyond the limit colours saturate
    limit = largest if largest <= 10 * usual_size else min(largest, max(1.0, 4 * usual_size))
    limit = max(0.1, limit, 2 * _noise(table))  # nor may noise be painted in full colour
    return ScalarMappable(Normalize(-limit, limit), mpl.colormaps["RdBu"])


def _noise(table: pd.DataFrame) -> float:
    """The pooled sd of the gains in points, 0 if unknown; diverged cells, whose seeds lie far apart, left out."""
    known = table[table["gain_sd"].notna()]
    known = known[known["gain_sd"] <= 10 * known["gain_sd"].quantile(0.5, interpolation="lower")]
    freedom = known["gain_n"] - 1
    return 100 * math.sqrt((freedom * known["gain_sd"] ** 2).sum() / freedom.sum()) if len(known) else 0.0


def _extend(table: pd.DataFrame, colours: ScalarMappable) -> str:
    """The colour bar has arrows only where a gain lies beyond its ends."""
    beyond = (100 * table["gain"].dropna().abs() > colours.norm.vmax).any()
    return "both" if beyond else "neither"


def _draw(ax: Axes, panel: Panel, colours: ScalarMappable, gains: bool, n: int) -> None:
    for y, alpha in enumerate(panel.alphas):
        for x, temperature in enumerate(panel.temperatures):
            _square(ax, x, y, panel.cells.get((alpha, temperature)), colours, gains, n)
    ax.set_xticks(range(len(panel.temperatures)), [_tick(place.text) for place in panel.temperatures])
    ax.set_yticks(range(len(panel.alphas)), [_tick(place.text) for place in panel.alphas])
    narrow = len(panel.temperatures) < ax.get_xlim()[1]
    ax.set_xlabel("temperature T", loc="left" if narrow else "center")
    short = len(panel.alphas) < ax.get_ylim()[0]
    ax.set_ylabel("alpha α", loc="top" if short else "center")
    ax.spines["bottom"].set_position(("data", len(panel.alphas) - 0.5))  # right below the last row
    text = textwrap.fill(panel.heading, max(24, int(12 * ax.get_xlim()[1])))
    ax.set_title(text, fontsize=SIZE + 1, loc="left" if narrow else "center")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _square(ax: Axes, x: int, y: int, cell: Any, colours: ScalarMappable, gains: bool, n: int) -> None:
    value = None if cell is None or not cell.n else cell.gain if gains else cell.mean
    if value is None or pd.isna(value):
        missing = absence(cell) if value is None else f"{percent(cell.mean)} no gain"
        _hatched(ax, x, y, textwrap.fill(missing or ABSENT, 11))
        return
    colour = colours.to_rgba(np.array(100 * float(value)))
    ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=1))
    words = [_gain(cell) if gains else "", percent(cell.mean), "" if cell.n == n else f"n={cell.n}"]
    # black and white are equally legible on a luminance of 0.18
    ink = "black" if _luminance(colour) > 0.18 else "white"
    ax.text(x, y, "\n".join(filter(None, words)), ha="center", va="center", fontsize=SMALL, color=ink)
    if cell.best:
        for edge, line in (("white", 5.0), ("black", 2.5)):  # the white rim shows on a dark cell, the black on a pale
            ax.add_patch(Rectangle((x - 0.45, y - 0.45), 0.9, 0.9, fill=False, edgecolor=edge, linewidth=line))


def _gain(cell: Any) -> str:
    return (
        percent(cell.gain, "+") + ("" if pd.isna(cell.gain_sd) else f" ± {percent(cell.gain_sd)}") + " *" * _clear(cell)
    )


def _clear(cell: Any) -> bool:
    """Whether the gain is more than luck, all cells taken together."""
    return bool(pd.notna(cell.family_low) and (cell.family_low > 0 or cell.family_high < 0))


def _hatched(ax: Axes, x: int, y: int, words: str) -> None:
    ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor="0.93", edgecolor="0.7", hatch="///", linewidth=0))
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    ax.text(x, y, words, ha="center", va="center", fontsize=SIZE - 1.5, bbox=box)


def _tick(text: str) -> str:
    return "\n".join(textwrap.wrap("none" if text == ABSENT else text, 14))


def _luminance(colour: Any) -> float:
    red, green, blue, *_ = (channel**2.2 for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
