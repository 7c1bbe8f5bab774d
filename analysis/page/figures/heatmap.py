"""Gain by alpha and temperature, a chart for each mode, one colour scale over all."""

from __future__ import annotations

from typing import Any

import pandas as pd
from plotly.colors import diverging, sample_colorscale
from plotly.graph_objects import Figure, Heatmap

from analysis.page.figures.frame import GREY, figure, safe, wrapped
from analysis.page.figures.hover import cell_texts
from analysis.page.parts import Chart, Plot
from analysis.page.sweep import Sweep
from analysis.tables.grid import ABSENT, Panel, absence, panels, percent

ROW, HEAD = 58, 96  # pixels


def heatmap(sweep: Sweep) -> Plot | None:
    """None where alpha and temperature were not swept as a grid."""
    grids = [grid for grid in panels(sweep.tried) if any(cell.n for cell in grid.cells.values())]
    if not grids:
        return None
    gains = bool(sweep.table["difference"].notna().any())
    texts = dict(zip(sweep.shown.index, cell_texts(sweep, sweep.shown), strict=True))
    scale = _scale(sweep.tried[~sweep.tried["is_baseline"]], gains)
    charts = [_chart(grid, gains, scale, texts) for grid in grids]
    what = "Gain over the baseline in points" if gains else "Mean test accuracy in %, since there is no baseline"
    inside = "gain, below it the mean accuracy in %" if gains else "the mean"
    scaled = ", one colour scale over all panels" if len(charts) > 1 else ""
    said = [f"{what}{scaled}.", f"★: best by what selects. In a square: {inside}.", "The numbers: see Results."]
    return Plot("Alpha and temperature", " ".join(said), charts)


def _chart(grid: Panel, gains: bool, scale: dict[str, Any], texts: dict[int, str]) -> Chart:
    square = [[grid.cells.get((alpha, t)) for t in grid.temperatures] for alpha in grid.alphas]
    found = figure(ROW * len(grid.alphas) + HEAD, "temperature T", "α")
    found.add_trace(
        Heatmap(
            z=[[_value(cell, gains) for cell in line] for line in square],
            hovertext=[[_hover(cell, texts) for cell in line] for line in square],
            hoverinfo="text",
            hoverongaps=False,
            xgap=2,
            ygap=2,
            **scale,
        )
    )
    _axes(found, grid)
    found.update_layout(
        annotations=[  # all at once: plotly checks those that are there whenever one is added
            {"x": x, "y": y, "showarrow": False, **_label(cell, gains, scale)}
            for y, line in enumerate(square)
            for x, cell in enumerate(line)
        ]
    )
    heading = grid.heading or "all"
    return Chart(heading, f"Heatmap of {heading}: {_said(grid, gains)}", found)


def _hover(cell: Any, texts: dict[int, str]) -> str:
    return "" if cell is None else texts.get(cell.place) or safe(absence(cell))


def _axes(found: Figure, grid: Panel) -> None:
    common = {"tickmode": "array", "showgrid": False, "ticks": "", "fixedrange": True}
    words = [[_tick(place.text) for place in places] for places in (grid.temperatures, grid.alphas)]
    found.update_xaxes(**common, tickvals=list(range(len(words[0]))), ticktext=words[0])
    found.update_yaxes(**common, tickvals=list(range(len(words[1]))), ticktext=words[1], autorange="reversed")


def _tick(text: str) -> str:
    return "none" if text == ABSENT else wrapped(text)


def _value(cell: Any, gains: bool) -> float | None:
    if cell is None or not cell.n:
        return None
    value = cell.difference if gains else cell.mean
    return None if pd.isna(value) else round(100 * float(value), 4)


def _label(cell: Any, gains: bool, scale: dict[str, Any]) -> dict[str, Any]:
    value = _value(cell, gains)
    if value is None:
        words = absence(cell) if cell is None or not cell.n else f"{percent(cell.mean)}<br>no gain"
        return {"text": words or ABSENT, "font": {"size": 12, "color": GREY}}
    first = f"{percent(cell.difference, '+')}" if gains else percent(cell.mean)
    first = f"<b>★ {first}</b>" if cell.best else first
    text = f"{first}<br><span style='font-size:11px'>{percent(cell.mean)}</span>" if gains else first
    return {"text": text, "font": {"size": 13, "color": _ink(value, scale)}}


def _ink(value: float, scale: dict[str, Any]) -> str:
    """Black or white, whichever is more legible on the value's colour; they are equally so on a luminance of 0.18."""
    place = (value - scale["zmin"]) / (scale["zmax"] - scale["zmin"])
    colour = sample_colorscale(scale["colorscale"], [min(1.0, max(0.0, place))], colortype="tuple")[0]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)  # sRGB
    return "#000000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 else "#ffffff"


def _scale(table: pd.DataFrame, gains: bool) -> dict[str, Any]:
    """Points of gain, symmetric about 0, or mean accuracy in per cent; cells far down do not bleach the others."""
    if not gains:
        means = 100 * table["mean"].dropna()
        return {"zmin": means.min() - 0.05, "zmax": means.max() + 0.05, "colorscale": "Cividis", "colorbar": _bar("%")}
    sizes = 100 * table["difference"].dropna().abs()
    largest, usual = sizes.max(), sizes.quantile(0.5, interpolation="lower")
    limit = largest if largest <= 10 * usual else min(largest, max(1.0, 4 * usual))
    noise = 200 * table["residual_sd"].max() if table["residual_sd"].notna().any() else 0.0
    limit = max(0.1, float(limit), min(float(noise), float(largest)))
    return {"zmin": -limit, "zmax": limit, "colorscale": diverging.RdBu, "colorbar": _bar("points")}


def _bar(unit: str) -> dict[str, Any]:
    return {"title": {"text": unit, "side": "right", "font": {"size": 13}}, "thickness": 10, "outlinewidth": 0}


def _said(grid: Panel, gains: bool) -> str:
    known = [(cell, _value(cell, gains)) for cell in grid.cells.values()]
    values = [value for _, value in known if value is not None]
    unit = "points of gain" if gains else "per cent"
    return f"{len(values)} cells from {min(values):.2f} to {max(values):.2f} {unit}." if values else "no value."
