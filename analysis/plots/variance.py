"""Runs -> where the spread between runs comes from: bars for the seed's share and for that of each swept field."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.plots.look import COLOURS, SIZE, wrapped
from analysis.plots.names import SIGNS
from analysis.plots.paper import finished_cells, groups, label_figure, rows, sheet
from analysis.stats.variance import INTERACTIONS, LUCK, variance_shares

LINE, WIDE, NAME = 0.34, 6.0, 30  # inches; letters of a label's line
PALE = "0.82"  # of luck


def variance(runs: pd.DataFrame) -> Figure:
    """Share of each source in the variance of the test accuracy between runs, largest first; luck is grey, hatched.

    A panel for each student and budget. Raises ValueError if no run has finished, or luck cannot be told from settings.
    """
    table = finished_cells(runs)
    shares = variance_shares(runs)
    if shares.empty:
        raise ValueError("luck cannot be told from settings: nothing was swept, or no cell has two seeds")
    found = groups(shares, table)
    lines = [len(part) for _, part in found]
    height = LINE * sum(lines) + 0.95 * len(found) + 1.5
    figure, axes = sheet(len(found), 1, WIDE + 1.5, height, gridspec_kw={"height_ratios": lines}, sharex=True)
    for ax, (heading, part) in zip(axes, found, strict=True):
        _draw(ax, heading, part)
    axes[-1].set_xlabel("share of the variance of test accuracy between runs (%)", fontsize=SIZE)
    label_figure(figure, "What moves test accuracy, last epoch", table, "", _legend(shares))
    return figure


def _draw(ax: Axes, heading: str, part: pd.DataFrame) -> None:
    names, _, _ = wrapped([_name(source) for source in part["source"]], NAME)
    ax.set_yticks(range(len(part)), names, fontsize=SIZE)
    ax.set(ylim=(len(part) - 0.5, -0.5), xlim=(0, 100))
    for y, row in enumerate(rows(part)):
        luck = row.source in LUCK
        look: Any = {"color": PALE, "hatch": "///", "edgecolor": "0.4"} if luck else {"color": COLOURS[0]}
        ax.barh(y, 100 * row.share, height=0.62, linewidth=0.5 if luck else 0, **look)
        words = f"{100 * row.share:.1f} %  (sd {100 * row.sd:.2f} points{'' if pd.isna(row.p) else f', p {_p(row.p)}'})"
        right = row.share < 0.6  # else there is no room beside the bar
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        ax.annotate(
            words, (100 * row.share, y), (4 if right else -4, 0), textcoords="offset points", va="center",
            ha="left" if right else "right", fontsize=SIZE - 0.5, bbox=box,
        )  # fmt: skip
    ax.set_title(heading, fontsize=SIZE + 1)
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)


def _name(source: str) -> str:
    if source == INTERACTIONS:
        return "interactions of the settings"
    return f"{source} {SIGNS[source]}" if source in SIGNS else source


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _legend(shares: pd.DataFrame) -> str:
    """What stands below the picture."""
    runs = ", ".join(str(n) for n in dict.fromkeys(shares["runs"]))
    left = int(shares.drop_duplicates(["dataset", "student", "epochs", "protocol"])["left_out"].sum())
    words = [
        f"Analysis of variance of {runs} distilled runs, without the baseline.",
        "Hatched: luck; seed: what a seed does to all settings alike; seed x setting: the rest.",
        "Shares by epsilon squared: what luck alone would give is taken off.",
    ]
    words += [f"{left} cell{'s' if left > 1 else ''} that diverged left out."] if left else []
    return " ".join(words)
