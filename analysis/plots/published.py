"""Published tables with ours beside them (``compare.compared``) -> a picture: theirs across, ours up."""

from __future__ import annotations

import math
import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from analysis.plots.look import SIZE
from analysis.published.literature import names
from analysis.stats.cells import far_off

SIDE = 4.0  # inches, of a panel
# Okabe and Ito's blue and vermillion; the markers tell them apart without colour
KINDS = ((True, "#D55E00", "s", "not distilled"), (False, "#0072B2", "o", "distilled"))


def scatter(tables: dict[str, pd.DataFrame]) -> Figure | None:
    """A panel for each source that we have a number beside; None where there is none.

    Dots on the line agree; bars are the 95 % interval of our mean. Both axes of a panel have one scale.
    """
    shown = {name: table[table["difference"].notna()] for name, table in tables.items()}
    shown = {name: table for name, table in shown.items() if len(table)}
    if not shown:
        return None
    columns = min(3, math.ceil(math.sqrt(len(shown))))
    rows = math.ceil(len(shown) / columns)
    size = (max(6.5, columns * (SIDE + 0.4)), rows * (SIDE + 0.9) + 1.1)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.09, w_pad=0.09))
    axes = list(figure.subplots(rows, columns, squeeze=False).flatten())
    for ax in axes[len(shown) :]:
        ax.remove()
    for ax, (name, table) in zip(axes, shown.items(), strict=False):
        _panel(ax, name, table)
    figure.suptitle("Published test accuracy and ours", fontsize=SIZE + 2)
    figure.supxlabel(
        "Line: ours equals theirs. Bars: 95 % interval of our mean over seeds (t), cut at the edge, none where n = 1.",
        fontsize=SIZE - 0.5,
    )
    return figure


def _panel(ax: Axes, name: str, table: pd.DataFrame) -> None:
    off = far_off(table["value"])
    table = table[~off]
    theirs, ours, half = (100 * table[c].astype("float64") for c in ("value", "ours", "ours_half_width"))
    low, high = _limits(theirs, ours)
    ax.plot([low, high], [low, high], color="0.5", linewidth=1, zorder=1)
    for alone, colour, marker, label in KINDS:
        of = (table["method"] == "none") == alone
        if of.any():
            face = "white" if alone else colour
            ax.errorbar(
                theirs[of], ours[of], yerr=half[of].fillna(0.0), fmt=marker, color=colour, markerfacecolor=face,
                markersize=6, elinewidth=1.2, label=label, zorder=3 if alone else 2,
            )  # fmt: skip
    rule = ", ".join(f"{epoch} epoch" for epoch in dict.fromkeys(table["ours_epoch"]))
    ax.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    ax.set(xlabel="published test accuracy (%)", ylabel=f"our test accuracy, {rule} (%)")
    title = [name, *textwrap.wrap(_budgets(table) + (f"; without {off.sum()} far off" if off.any() else ""), 40)]
    ax.set_title("\n".join(title), fontsize=SIZE)
    ax.grid(color="0.92")
    ax.set_axisbelow(True)
    ax.legend(fontsize=SIZE - 0.5, frameon=False, loc="best")


def _budgets(table: pd.DataFrame) -> str:
    """What differs in the longest budget that is shown, as far as epochs and protocol go."""
    words = dict.fromkeys(word for text in table["differs"] for word in str(text).split("; "))
    return (
        ", ".join(word for word in words if "epochs (" in word or word.startswith("protocol"))
        or "their budget and protocol"
    )


def _limits(theirs: pd.Series, ours: pd.Series) -> tuple[float, float]:
    both = np.concatenate([theirs.to_numpy(), ours.to_numpy()])
    margin = 0.06 * max(1.0, float(np.ptp(both)))
    return float(both.min()) - margin, float(both.max()) + margin


def published(runs: pd.DataFrame) -> Figure:
    """``scatter`` of all published tables that hold a number beside these runs. Raises ValueError where none does."""
    from analysis.compare import compared  # which draws with this module

    figure = scatter({name: compared(name, runs) for name in names()})
    if figure is None:
        raise ValueError("no published number is of a network, data set and method that these runs have finished")
    return figure
