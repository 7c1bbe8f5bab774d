"""How every plotly figure of a page looks, and how its words are made safe."""

from __future__ import annotations

import textwrap
from html import escape
from typing import Any

import pandas as pd
from plotly.graph_objects import Figure, Layout

from analysis.plots.look import COLOURS, MARKERS

SYMBOLS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
    "X": "x",
}
GREY, RULE, INK = "#595959", "#dedede", "#222222"
BAND = "rgba(89,89,89,0.16)"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
LETTERS = 44  # of a line of a label
ROW = 25  # pixels of a row of dots
ROWS = 40  # more no one reads; the table under the figure has them all


def figure(height: int, x: str, y: str = "", **more: Any) -> Figure:
    """An empty figure of that height in pixels, its axes named."""
    axis = {"gridcolor": RULE, "zeroline": False, "linecolor": GREY, "ticks": "outside", "tickcolor": RULE}
    layout = Layout(
        template="none",
        height=height,
        autosize=True,
        font={"family": FONT, "size": 13, "color": INK},
        margin={"l": 8, "r": 12, "t": 30, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="closest",
        hoverlabel={"align": "left", "bgcolor": "#ffffff", "bordercolor": GREY, "font": {"family": FONT, "color": INK}},
        modebar={"bgcolor": "rgba(255,255,255,0.8)", "color": GREY, "activecolor": INK},
        dragmode=False,  # on a phone a finger must move the page; the buttons zoom
        legend={"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top", "itemclick": False, "itemdoubleclick": False},
        xaxis={**axis, "title": {"text": x, "font": {"size": 13}, "standoff": 8}, "automargin": True},
        yaxis={**axis, "title": {"text": y, "font": {"size": 13}, "standoff": 8}, "automargin": True},
    )
    return Figure(layout=layout).update_layout(**more)


def rows(labels: list[str], x: str, **more: Any) -> Figure:
    """A figure with a row for each label, the first at the top; a narrow page sets the labels above their rows."""
    found = figure(ROW * len(labels) + 90, x, **more)
    texts = [wrapped(label) for label in labels]
    found.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(labels))),
        ticktext=texts,
        range=[len(labels) - 0.4, -0.6],
        fixedrange=True,
        ticks="",
    )
    return found.update_layout(meta={"rows": [safe(label) for label in labels]}, showlegend=False)


def style(kinds: list[str]) -> dict[str, tuple[str, str]]:
    """kind -> (colour, symbol), the same throughout a sweep; baselines are grey circles, controls grey crosses."""
    told = sorted({kind for kind in kinds if kind != "baseline" and not kind.startswith("control")})
    found = {kind: look(i) for i, kind in enumerate(told)}
    controls = {kind: (GREY, "x-thin-open") for kind in kinds if kind.startswith("control")}
    return {**found, **controls, "baseline": (GREY, "circle-open")}


def look(place: int) -> tuple[str, str]:
    """Colour and symbol of the kind at ``place``, from 0; past seven, colours come again with other symbols."""
    return COLOURS[place % len(COLOURS)], SYMBOLS[MARKERS[(place + place // len(COLOURS)) % len(MARKERS)]]


def safe(text: str) -> str:
    """Plotly reads some HTML in its texts: this shows a text as it stands."""
    return escape(str(text), quote=False)


def wrapped(text: str) -> str:
    """A label on lines of at most ``LETTERS`` letters."""
    return "<br>".join(safe(line) for line in textwrap.wrap(text, LETTERS)) or safe(text)


def points(values: pd.Series) -> list[float | None]:
    """Fractions in per cent (differences in points), None where missing."""
    return [None if pd.isna(value) else round(100 * float(value), 4) for value in values]
