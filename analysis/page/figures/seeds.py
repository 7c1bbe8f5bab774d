"""Every run as a dot, a row for each cell."""

from __future__ import annotations

from typing import Any

import pandas as pd
from plotly.graph_objects import Scatter

from analysis.page.figures.band import baseline
from analysis.page.figures.frame import INK, ROWS, look, points, rows
from analysis.page.figures.hover import run_texts
from analysis.page.figures.limits import Limits, around, beyond, symbols, usual, within
from analysis.page.figures.limits import said as outside
from analysis.page.names import named_parts
from analysis.page.parts import ABSENT, Chart, Grid, Plot
from analysis.page.sweep import METRIC, Sweep, rows_of
from analysis.tables.grid import percent

TOLD = 7  # seeds that colours tell apart
COLUMNS = 12  # seeds in the table


def seeds(sweep: Sweep) -> Plot:
    """There is a row for each cell with a result."""
    parts = named_parts(sweep.shown)
    few = [f"{heading or 'Here'}: {ROWS} of {len(group)} cells." for heading, group in parts if len(group) > ROWS]
    used = sorted({int(seed) for seed in sweep.finished["seed"].dropna()})
    told = ["Colour and shape tell the seeds apart."] if 1 < len(used) <= TOLD else []
    limits = _limits(sweep)
    said = [
        "A dot is a run; the tick is the cell's mean.",
        *told,
        "Rows: the baseline, then by what selects, best first.",
        *outside(100 * sweep.finished[METRIC], limits, "run", "beside it a cell's mean where that is, too"),
    ]
    charts = [_chart(sweep, heading, group.head(ROWS), used, limits) for heading, group in parts]
    return Plot("Seeds", " ".join([*said, *few]), charts, _data(sweep.shown, used))


def _limits(sweep: Sweep) -> Limits:
    """Of the runs of the usual cells."""
    places = sweep.shown.index[usual(sweep.shown)]
    return around(100 * sweep.finished.loc[sweep.finished["place"].isin(places), METRIC])


def _chart(sweep: Sweep, heading: str, shown: pd.DataFrame, used: list[int], limits: Limits) -> Chart:
    found = rows(
        [f"★ {cell.name}" if cell.best else cell.name for cell in rows_of(shown)], "test accuracy, last epoch (%)"
    )
    bases = [cell for cell in rows_of(shown) if cell.is_baseline]
    baseline(found, bases[0] if len(bases) == 1 else None, vertical=True)
    ticks = {"symbol": "line-ns-open", "size": 17, "color": INK, "line": {"width": 1.5}}
    beyond(found, points(shown["mean"]), limits, ".2f")
    means = {"x": points(shown["mean"]), "y": list(range(len(shown))), "mode": "markers", "marker": ticks}
    found.add_trace(Scatter(**means, hoverinfo="skip", showlegend=False))
    row = pd.Series(range(len(shown)), shown.index)
    runs = sweep.finished[sweep.finished["place"].isin(shown.index)]
    for seed, looks in _looks(used).items():
        own = runs if seed is None else runs[runs["seed"] == seed]
        found.add_trace(_dots(sweep, own, row, "" if seed is None else f"seed {seed}", looks, limits))
    found.update_xaxes(range=limits)
    several = 1 < len(used) <= TOLD
    found.update_layout(showlegend=several, meta={**found.layout.meta, "legend": len(used) * several})
    return Chart(heading, f"Test accuracy of every run in {len(shown)} rows, a dot for each seed. {heading}", found)


def _looks(used: list[int]) -> dict[int | None, tuple[str, str]]:
    return {seed: look(i) for i, seed in enumerate(used)} if 1 < len(used) <= TOLD else {None: look(0)}


def _dots(
    sweep: Sweep, runs: pd.DataFrame, row: pd.Series, name: str, looks: tuple[str, str], limits: Limits
) -> Scatter:
    colour, symbol = looks
    values = points(runs[METRIC])
    marks = symbols(values, limits, [symbol] * len(values))
    return Scatter(
        x=within(values, limits),
        y=[int(row[place]) for place in runs["place"]],
        name=name,
        mode="markers",
        marker={"color": colour, "symbol": marks, "size": 8, "opacity": 0.85},
        hovertext=run_texts(sweep, runs),
        hoverinfo="text",
    )


def _data(shown: pd.DataFrame, used: list[int]) -> Grid:
    columns = used[:COLUMNS]
    rest = f", the first {COLUMNS} of {len(used)} seeds" if len(used) > COLUMNS else ""
    lines = [[str(cell.name), *(_word(cell, seed) for seed in columns)] for cell in rows_of(shown)]
    return Grid(f"Test accuracy in % by seed{rest}", ["cell", *(f"seed {seed}" for seed in columns)], lines)


def _word(cell: Any, seed: int) -> str:
    return percent(cell.by_seed[seed]) if seed in cell.by_seed else ABSENT
