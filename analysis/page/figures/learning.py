"""Accuracy over the epochs: means over the seeds, a line for each of the foremost cells."""

from __future__ import annotations

from typing import Any

import pandas as pd
from plotly.graph_objects import Figure, Scatter

from analysis.page.figures.frame import GREY, figure, look, points, safe
from analysis.page.names import named_parts
from analysis.page.parts import ABSENT, Chart, Grid, Plot
from analysis.page.sweep import Sweep, rows_of
from analysis.stats.curves import learning_curves
from analysis.tables.grid import percent

LINES = 10  # more cannot be told apart
EPOCHS = 12  # columns of the table


def learning(sweep: Sweep) -> Plot | None:
    """None where there are no epochs of finished runs."""
    curves = learning_curves(sweep.runs, sweep.epochs)
    if curves.empty:
        return None
    having = named_parts(sweep.shown[sweep.shown.index.isin(curves["cell"])])
    parts = [(heading, group.head(LINES)) for heading, group in having]
    few = [_chosen(heading, group) for heading, group in having if len(group) > LINES]
    biased = (sweep.table["protocol"] == "published").any()
    use = "under protocol published it selects, which flatters it" if biased else "it is tracked, and selects nothing"
    caption = [f"Mean test accuracy of the finished seeds; {use}.", *few]
    charts = [_chart(heading, shown, curves) for heading, shown in parts]
    drawn = sweep.table.loc[[place for _, shown in parts for place in shown.index]]
    return Plot("Learning curves", " ".join(caption), charts, _data(drawn, curves))


def _chosen(heading: str, group: pd.DataFrame) -> str:
    where = f"{heading}: " if heading else ""
    return f"{where}{LINES} of {len(group)} cells, the baseline and the best by what selects; the others are not drawn."


def _chart(heading: str, shown: pd.DataFrame, curves: pd.DataFrame) -> Chart:
    found = figure(430, "epoch", "test accuracy (%)")
    by_cell = dict(iter(curves.groupby("cell")))
    distilled = iter(range(len(shown)))
    for cell in rows_of(shown):
        colour, symbol = (GREY, "circle-open") if cell.is_baseline else look(next(distilled))
        _line(found, by_cell[cell.place], cell.name, colour, symbol)
    found.update_xaxes(tickformat="d", dtick=1 if curves["epoch"].max() <= 12 else None)
    found.update_layout(meta={"legend": len(shown)})
    return Chart(
        heading, f"Learning curves of {len(shown)} cells over {curves['epoch'].max()} epochs. {heading}", found
    )


def _line(found: Figure, curve: pd.DataFrame, name: str, colour: str, symbol: str) -> None:
    texts = [
        f"<b>{safe(name)}</b><br>epoch {row.epoch}: {percent(row.mean)} %"
        + ("" if pd.isna(row.half_width) else f" ± {percent(row.half_width)} (95 %)")
        + f", n={row.n}"
        for row in rows_of(curve)
    ]
    step = max(1, len(curve) // 8)
    found.add_trace(
        Scatter(
            x=curve["epoch"].astype(int).tolist(),
            y=points(curve["mean"]),
            name=safe(name),
            mode="lines+markers",
            line={"color": colour, "width": 2, "dash": "dash" if colour == GREY else "solid"},
            marker={"color": colour, "symbol": symbol, "size": 7, "maxdisplayed": len(curve) // step},
            hovertext=texts,
            hoverinfo="text",
        )
    )


def _data(shown: pd.DataFrame, curves: pd.DataFrame) -> Grid:
    last = int(curves["epoch"].max())
    epochs = sorted({round(1 + i * (last - 1) / (EPOCHS - 1)) for i in range(EPOCHS)})
    wide = curves.pivot(index="cell", columns="epoch", values="mean")
    header = ["cell", *(f"epoch {epoch}" for epoch in epochs)]
    rows = [
        [str(name), *(_word(wide.at[place, epoch] if epoch in wide else None) for epoch in epochs)]
        for place, name in zip(shown.index, shown["name"], strict=True)
    ]
    return Grid("Mean test accuracy in %", header, rows)


def _word(value: Any) -> str:
    return ABSENT if value is None or pd.isna(value) else percent(value)
