"""Every run as a dot, a row for each cell."""

from __future__ import annotations

from typing import Any

import pandas as pd
from plotly.graph_objects import Scatter

from analysis.page.figures.band import baseline
from analysis.page.figures.frame import INK, ROWS, look, points, rows
from analysis.page.figures.hover import run_texts
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
    said = [
        "A dot is a run; the tick is the cell's mean.",
        *told,
        "Rows: the baseline, then by what selects, best first.",
    ]
    charts = [_chart(sweep, heading, group.head(ROWS), used) for heading, group in parts]
    return Plot("Seeds", " ".join([*said, *few]), charts, _data(sweep.shown, used))


def _chart(sweep: Sweep, heading: str, shown: pd.DataFrame, used: list[int]) -> Chart:
    found = rows(
        [f"★ {cell.name}" if cell.best else cell.name for cell in rows_of(shown)], "test accuracy, last epoch (%)"
    )
    bases = [cell for cell in rows_of(shown) if cell.is_baseline]
    baseline(found, bases[0] if len(bases) == 1 else None, vertical=True)
    ticks = {"symbol": "line-ns-open", "size": 17, "color": INK, "line": {"width": 1.5}}
    means = {"x": points(shown["mean"]), "y": list(range(len(shown))), "mode": "markers", "marker": ticks}
    found.add_trace(Scatter(**means, hoverinfo="skip", showlegend=False))
    row = pd.Series(range(len(shown)), shown.index)
    runs = sweep.finished[sweep.finished["place"].isin(shown.index)]
    for seed, looks in _looks(used).items():
        found.add_trace(_dots(sweep, runs if seed is None else runs[runs["seed"] == seed], row, seed, looks))
    several = 1 < len(used) <= TOLD
    found.update_layout(showlegend=several, meta={**found.layout.meta, "legend": len(used) * several})
    return Chart(heading, f"Test accuracy of every run in {len(shown)} rows, a dot for each seed. {heading}", found)


def _looks(used: list[int]) -> dict[int | None, tuple[str, str]]:
    return {seed: look(i) for i, seed in enumerate(used)} if 1 < len(used) <= TOLD else {None: look(0)}


def _dots(sweep: Sweep, runs: pd.DataFrame, row: pd.Series, seed: int | None, looks: tuple[str, str]) -> Scatter:
    colour, symbol = looks
    return Scatter(
        x=points(runs[METRIC]),
        y=[int(row[place]) for place in runs["place"]],
        name="" if seed is None else f"seed {seed}",
        mode="markers",
        marker={"color": colour, "symbol": symbol, "size": 8, "opacity": 0.85},
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
