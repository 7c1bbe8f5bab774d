"""Every cell as a line through the values of what was swept, to its accuracy."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd
from plotly.colors import sample_colorscale
from plotly.graph_objects import Figure, Scatter

from analysis.page.figures.frame import GREY, figure, safe
from analysis.page.figures.hover import cell_texts
from analysis.page.parts import Chart, Grid, Plot
from analysis.page.sweep import Sweep, rows_of
from analysis.plots.names import SIGNS
from analysis.stats.cells import is_control
from analysis.tables.grid import ABSENT, described, percent, varying

LINES = 150
SCALE = "Cividis_r"  # as the figures on paper: dark is accurate
LETTERS = 16


class Axis(NamedTuple):
    """A vertical line: its name, where each cell crosses it (0 to 1), and its ticks."""

    name: str
    places: list[float]
    ticks: list[tuple[float, str]]


def parallel(sweep: Sweep) -> Plot | None:
    """None unless two fields or more were swept."""
    table = sweep.shown[~sweep.shown["is_baseline"] & ~is_control(sweep.shown)]
    fields = varying(table) if len(table) > 1 else []
    if len(fields) < 2:
        return None
    shown = table.head(LINES)
    few = "" if len(shown) == len(table) else f" The best {len(shown)} of {len(table)} by what selects."
    words = described(shown, fields)
    axes = [_axis(name, [line[i] for line in words]) for i, name in enumerate(fields)]
    axes.append(_numbers("accuracy (%)", [100 * float(mean) for mean in shown["mean"]]))
    caption = f"A line is a cell: its settings, and at the right its mean test accuracy. Dark: high; light: low.{few}"
    alternative = f"Parallel coordinates of {len(shown)} cells over {', '.join(axis.name for axis in axes)}."
    chart = Chart("", alternative, _figure(sweep, shown, axes))
    return Plot("Parallel coordinates", caption, [chart], _data(shown))


def _axis(field: str, words: list[str]) -> Axis:
    """Evenly spaced values, numbers by size, words by letter, what has none at the bottom."""
    levels = sorted(set(words), key=_order)
    step = 1 / max(1, len(levels) - 1)
    place = {word: i * step if len(levels) > 1 else 0.5 for i, word in enumerate(levels)}
    ticks = [(place[word], "none" if word == ABSENT else word) for word in levels]
    return Axis(SIGNS.get(field, field), [place[word] for word in words], ticks)


def _order(word: str) -> tuple[int, float, str]:
    try:
        return (1, float(word), "")
    except ValueError:
        return (0 if word == ABSENT else 2, 0.0, word)


def _numbers(name: str, values: list[float]) -> Axis:
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    ticks = [(0.0, f"{low:.2f}"), (1.0, f"{high:.2f}")] if high > low else [(0.0, f"{low:.2f}")]
    return Axis(name, [(value - low) / span for value in values], ticks)


def _figure(sweep: Sweep, shown: pd.DataFrame, axes: list[Axis]) -> Figure:
    found = figure(420, "")
    texts = cell_texts(sweep, shown)
    order = sorted(range(len(shown)), key=lambda i: axes[-1].places[i])  # the highest on top
    places = [[axis.places[i] for axis in axes] for i in order]
    colours = sample_colorscale(SCALE, [0.08 + 0.92 * line[-1] for line in places])
    found.add_traces([_line(line, texts[i], colour) for i, line, colour in zip(order, places, colours, strict=True)])
    found.update_layout(
        showlegend=False,
        shapes=[_upright(x) for x in range(len(axes))],
        annotations=[_tick(x, y, word) for x, axis in enumerate(axes) for y, word in axis.ticks],
    )
    found.update_xaxes(
        tickmode="array", tickvals=list(range(len(axes))), ticktext=[safe(axis.name) for axis in axes], ticks="",
        showgrid=False, showline=False, side="top", range=[-0.15, len(axes) - 0.55], fixedrange=True,
    )  # fmt: skip
    return found.update_yaxes(visible=False, range=[-0.06, 1.06], fixedrange=True)


def _upright(x: int) -> dict[str, Any]:
    line = {"color": GREY, "width": 1}
    return {"type": "line", "x0": x, "x1": x, "y0": -0.04, "y1": 1.04, "line": line, "layer": "below"}


def _line(places: list[float], text: str, colour: str) -> Scatter:
    return Scatter(
        x=list(range(len(places))),
        y=[round(place, 4) for place in places],
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"color": colour, "size": 5},
        hovertext=text,
        hoverinfo="text",
    )


def _tick(x: int, y: float, word: str) -> dict[str, Any]:
    text = word if len(word) <= LETTERS else f"{word[: LETTERS - 1]}…"
    look = {"bgcolor": "rgba(255,255,255,0.85)", "font": {"size": 11}, "xanchor": "left", "xshift": 7}
    return {"x": x, "y": y, "text": safe(text), "showarrow": False, **look}


def _data(shown: pd.DataFrame) -> Grid:
    header = ["cell", "test accuracy (%)", "sd", "n", "selected by (%)"]
    rows = [
        [cell.name, percent(cell.mean), _known(cell.sd), str(cell.n), _known(cell.selected_by)]
        for cell in rows_of(shown.sort_values("mean", ascending=False))
    ]
    return Grid("Cells by accuracy", header, rows)


def _known(fraction: Any) -> str:
    return ABSENT if pd.isna(fraction) else percent(fraction)
