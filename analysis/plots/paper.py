"""What figures share: their sheet, panels for what is not compared, what stands above and below, and the file."""

from __future__ import annotations

import io
import os
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from analysis import frames
from analysis.plots.look import SIZE
from analysis.stats.cells import COMPARABLE, cells
from analysis.tables.grid import described, heading, seeds

FORMATS = ("png", "svg")
# text stays text, to be searched and edited, and a picture made twice is the same file, so that diffs are small
SVG: Any = {"svg.fonttype": "none", "svg.hashsalt": "kd"}
DPI = 150


def save(figure: Figure, folder: str | os.PathLike[str], name: str = "heatmap.png") -> None:
    """Writes the figure into the folder (a path or a URI), whole or not at all: PNG of 150 dots an inch, or SVG."""
    content, kind = io.BytesIO(), name.rpartition(".")[2]
    with mpl.rc_context(SVG):
        figure.savefig(content, format=kind, dpi=DPI, metadata={"Date": None} if kind == "svg" else None)
    frames.write(folder, name, content.getvalue())


def finished_cells(runs: pd.DataFrame, metric: str = "test_accuracy_last") -> pd.DataFrame:
    """``cells(runs, metric)``. Raises ValueError where no run has finished."""
    table = cells(runs, metric)
    if not table["n"].sum():
        raise ValueError("no run has finished: nothing to draw")
    return table


def groups(parts: pd.DataFrame, of: pd.DataFrame | None = None) -> list[tuple[str, pd.DataFrame]]:
    """What is compared with one another, with what tells it from the rest of the table ``of``: 'student resnet8'.

    ``of`` is ``parts`` itself, where these are cells: groups without a finished run are then left out.
    """
    table = parts if of is None else of
    fields = [name for name in COMPARABLE if table[name].nunique(dropna=False) > 1]
    found = [group for _, group in parts.groupby([*COMPARABLE], dropna=False, sort=True)]
    found = [group for group in found if of is not None or group["n"].sum()]
    return [(heading(fields, described(group, fields)[0]), group) for group in found]


def rows(table: pd.DataFrame) -> Iterator[Any]:
    """The rows one by one, with ``Index`` and their columns as attributes."""
    return table.itertuples()


def sheet(rows: int, columns: int, width: float, height: float, **shared: Any) -> tuple[Figure, list[Axes]]:
    """A figure of so many inches with plain axes, row by row; ``shared`` goes to ``Figure.subplots``."""
    size = (max(6.5, width), max(3.2, height))
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.09, w_pad=0.06))
    axes = list(figure.subplots(rows, columns, squeeze=False, **shared).flatten())
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color="0.92")
        ax.set_axisbelow(True)
        ax.tick_params(labelsize=SIZE)
    return figure, axes


def label_figure(figure: Figure, what: str, table: pd.DataFrame, mark: str, legend: str) -> None:
    """Above: what, student, data set, budget and seeds; below: what ``mark`` stands for, and ``legend``."""
    biased = (table["protocol"] == "published").any()
    chosen = "best by TEST accuracy, so biased." if biased else "best by validation accuracy."
    width = int(figure.get_figwidth() * 10.5)
    title = [textwrap.fill(line, width) for line in (what, setting(table))]
    figure.suptitle("\n".join(title), fontsize=SIZE + 2)
    below = f"{mark}: {chosen} " * bool(mark and table["best"].any()) + legend
    figure.supxlabel(textwrap.fill(below, int(width * 1.25)), fontsize=SIZE - 0.5)


def name_lines(figure: Figure, handles: Sequence[Artist], title: str | None = None) -> None:
    """A legend beside all panels, where it covers no data."""
    figure.legend(
        handles=handles, loc="outside right center", frameon=False, fontsize=SIZE, handlelength=2.8, title=title,
        title_fontsize=SIZE,
    )  # fmt: skip


def setting(table: pd.DataFrame) -> str:
    """'resnet8 on cifar10, 30 epochs, n = 3 (seeds 0, 1, 2)'; 'n = 1 to 3' where cells have not the same number."""
    used = sorted({int(seed) for text in table["seeds"] if text for seed in text.split(", ")})
    student, dataset = (", ".join(sorted(set(table[name].dropna()))) for name in ("student", "dataset"))
    budgets = ", ".join(str(number) for number in sorted(set(table["epochs"].dropna())))
    counts = table.loc[table["n"] > 0, "n"]
    n = f"{counts.min()}" if counts.nunique() < 2 else f"{counts.min()} to {counts.max()}"
    return f"{student} on {dataset}, {budgets} epochs, n = {n} ({seeds(used)})"
