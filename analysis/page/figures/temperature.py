"""Accuracy over the temperature, a line for each alpha, the baseline as a band."""

from __future__ import annotations

from typing import Any

import pandas as pd
from plotly.graph_objects import Figure, Scatter

from analysis.page.figures.band import baseline
from analysis.page.figures.frame import figure, points, style
from analysis.page.figures.hover import cell_texts
from analysis.page.parts import Chart, Plot
from analysis.page.sweep import Sweep, rows_of
from analysis.plots.look import INTERVAL_FROM
from analysis.stats.cells import BLOCK
from analysis.tables.grid import Panel, panels

LINES, TICKS = 7, 12  # alphas that can be told apart, and temperatures that have room under the axis


def temperature(sweep: Sweep) -> Plot | None:
    """None where no alpha x temperature panel has two temperatures with a result."""
    grids = [grid for grid in panels(sweep.tried) if len(_temperatures(grid)) > 1]
    if not grids:
        return None
    shown = sweep.shown
    texts = dict(zip(shown["place"], cell_texts(sweep, shown), strict=True))
    low, high = _limits(sweep, grids)
    alphas = [place.text for place in sorted({place for grid in grids for place in grid.alphas})]
    colours = style(_spread(alphas))
    charts = [_chart(sweep, grid, texts, colours, [low, high]) for grid in grids]
    return Plot("Temperature curves", " ".join([*_said(shown, len(charts)), *_few(alphas)]), charts)


def _spread(alphas: list[str]) -> list[str]:
    """At most ``LINES`` of them, evenly from the lowest to the highest."""
    step = (len(alphas) - 1) / (LINES - 1)
    return alphas if len(alphas) <= LINES else [alphas[round(i * step)] for i in range(LINES)]


def _few(alphas: list[str]) -> list[str]:
    return [f"{LINES} of {len(alphas)} alphas, evenly over their range."] if len(alphas) > LINES else []


def _said(shown: pd.DataFrame, charts: int) -> list[str]:
    some = bool((shown["n"] >= INTERVAL_FROM).any())
    bars = "bars: 95 % interval of the mean (t), from three seeds on" if some else "no bars: fewer than three seeds"
    based = ["Grey: the baseline's mean and the range of its seeds."] if shown["is_baseline"].any() else []
    scale = ["One scale over all panels."] if charts > 1 else []
    first = f"Mean test accuracy after the last epoch; small: single runs; {bars}."
    return [first, *based, *scale, "The numbers: see Results."]


def _temperatures(grid: Panel) -> set[float]:
    return {t.value for (_, t), cell in grid.cells.items() if t.rank == 0 and cell.n}


def _limits(sweep: Sweep, grids: list[Panel]) -> tuple[float, float]:
    values = [100 * v for grid in grids for cell in grid.cells.values() for v in cell.by_seed.values()]
    values += [100 * v for by_seed in sweep.table.loc[sweep.table["is_baseline"], "by_seed"] for v in by_seed.values()]
    values += [end for grid in grids for cell in grid.cells.values() for end in _ends(cell)]
    margin = 0.06 * max(max(values) - min(values), 0.5)
    return min(values) - margin, max(values) + margin


def _ends(cell: Any) -> list[float]:
    """Of its interval, where one is drawn."""
    return [100 * (cell.mean + sign * cell.half_width) for sign in (-1, 1)] if cell.n >= INTERVAL_FROM else []


def _chart(sweep: Sweep, grid: Panel, texts: dict[int, str], colours: dict[str, Any], limits: list[float]) -> Chart:
    found = figure(330, "temperature T", "test accuracy (%)")
    lines = {alpha: _line(grid, alpha) for alpha in grid.alphas if alpha.text in colours}
    cells = [cell for line in lines.values() for cell in line]
    baseline(found, _baseline(sweep, cells[0]) if cells else None)
    for alpha, line in lines.items():
        if line:
            _draw(found, f"α {alpha.text}", line, texts, *colours[alpha.text])
    values = sorted(_temperatures(grid))
    wide = values[0] > 0 and values[-1] / values[0] >= 8
    found.update_xaxes(type="log" if wide else "linear")
    if len(values) <= TICKS:
        found.update_xaxes(tickmode="array", tickvals=values, ticktext=[f"{value:g}" for value in values])
    found.update_yaxes(range=limits)
    found.update_layout(meta={"legend": len(lines)})
    heading = grid.heading or "all"
    return Chart(heading, f"Test accuracy over temperature, {heading}, a line for each of {len(lines)} alphas.", found)


def _line(grid: Panel, alpha: Any) -> list[Any]:
    cells = [grid.cells.get((alpha, t)) for t in grid.temperatures if t.rank == 0]
    return [cell for cell in cells if cell is not None and cell.n]


def _baseline(sweep: Sweep, cell: Any) -> Any:
    for row in rows_of(sweep.table[sweep.table["is_baseline"] & (sweep.table["n"] > 0)]):
        if all(_same(getattr(row, name), getattr(cell, name)) for name in BLOCK):
            return row
    return None


def _same(one: Any, other: Any) -> bool:
    return bool(pd.isna(one) and pd.isna(other)) or bool(pd.notna(one) and pd.notna(other) and one == other)


def _draw(found: Figure, name: str, cells: list[Any], texts: dict[int, str], colour: str, symbol: str) -> None:
    x = [cell.temperature for cell in cells]
    seeds = [(cell.temperature, 100 * value) for cell in cells for value in cell.by_seed.values()]
    found.add_trace(
        Scatter(
            x=[x for x, _ in seeds],
            y=[y for _, y in seeds],
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 4, "opacity": 0.55},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    found.add_trace(
        Scatter(
            x=x,
            y=points(pd.Series([cell.mean for cell in cells])),
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"color": colour, "symbol": symbol, "size": 9},
            error_y=_bars(cells, colour),
            hovertext=[texts[cell.place] for cell in cells],
            hoverinfo="text",
        )
    )


def _bars(cells: list[Any], colour: str) -> dict[str, Any]:
    wide = [cell.half_width if cell.n >= INTERVAL_FROM else None for cell in cells]
    return {
        "type": "data",
        "array": points(pd.Series(wide, dtype="Float64")),
        "color": colour,
        "thickness": 1.3,
        "width": 4,
    }
