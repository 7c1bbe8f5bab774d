"""How far a figure reaches: over the cells that are compared, so that one control or diverged cell squeezes no other.

What lies beyond stands at the edge as an arrow with its value; the pointer and the table tell it whole.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from plotly.graph_objects import Figure, Scatter

from analysis.page.figures.frame import INK
from analysis.page.wording import several
from analysis.stats.cells import COMPARABLE, far_off, is_control

Limits = list[float]


def usual(table: pd.DataFrame) -> pd.Series:
    """Which cells of a page's table set the limits: all but controls and those far off; all, if these are none."""
    real = ~is_control(table)
    means = table["mean"].astype("float64").where(real)
    off = means.groupby([table[name] for name in COMPARABLE], dropna=False).transform(far_off)
    found = real & ~off.astype(bool)
    return found if found.any() else pd.Series(True, index=table.index)


def around(values: pd.Series) -> Limits:
    """From the lowest to the highest, and some room."""
    known = values.dropna().astype("float64")
    margin = 0.05 * max(known.max() - known.min(), 0.5)
    return [known.min() - margin, known.max() + margin]


def within(values: list[float | None], limits: Limits) -> list[float | None]:
    """The values, those beyond the limits moved to the edge."""
    low, high = limits
    room = 0.015 * (high - low)
    return [None if v is None else low + room if v < low else high - room if v > high else v for v in values]


def symbols(values: list[float | None], limits: Limits, usual: list[str]) -> list[str]:
    """The usual symbol of each value, and an arrow to the left or right for each value beyond the limits."""
    low, high = limits
    return [
        symbol if v is None or low <= v <= high else "triangle-left" if v < low else "triangle-right"
        for v, symbol in zip(values, usual, strict=True)
    ]


def beyond(found: Figure, values: list[float | None], limits: Limits, form: str) -> None:
    """Writes each value beyond the limits beside its arrow; the row of a value is its place."""
    at = within(values, limits)
    out = [i for i, v in enumerate(values) if v is not None and v != at[i]]
    look: dict[str, Any] = {"mode": "text", "hoverinfo": "skip", "showlegend": False}
    sides = ["middle right" if (values[i] or 0.0) < limits[0] else "middle left" for i in out]
    words = [f"  {format(values[i], form)}  " for i in out]
    font = {"size": 11, "color": INK}
    found.add_trace(Scatter(x=[at[i] for i in out], y=out, text=words, textposition=sides, textfont=font, **look))


def said(values: pd.Series, limits: Limits, thing: str = "cell", beside: str = "value beside it") -> list[str]:
    """How many lie beyond, in a sentence; none where none do."""
    known = values.dropna().astype("float64")
    count = int(((known < limits[0]) | (known > limits[1])).sum())
    return [f"Arrow: {several(count, thing)} beyond the picture, {beside}."] if count else []
