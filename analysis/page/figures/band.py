"""The undistilled baseline behind a figure: its mean as a line, the range of its seeds as a band."""

from __future__ import annotations

from typing import Any

from plotly.graph_objects import Figure

from analysis.page.figures.frame import BAND, GREY


def baseline(figure: Figure, cell: Any, vertical: bool = False) -> None:
    """Draws them, where there is a baseline with a result."""
    if cell is None or not cell.n:
        return
    seeds = [100 * value for value in cell.by_seed.values()] or [100 * cell.mean]
    line = {"line": {"color": GREY, "width": 1.5, "dash": "dash"}, "layer": "below"}
    band = {"fillcolor": BAND, "line_width": 0, "layer": "below"}
    if vertical:
        figure.add_vrect(x0=min(seeds), x1=max(seeds), **band).add_vline(x=100 * cell.mean, **line)
    else:
        figure.add_hrect(y0=min(seeds), y1=max(seeds), **band).add_hline(y=100 * cell.mean, **line)
