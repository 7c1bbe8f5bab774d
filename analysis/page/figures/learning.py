"""Accuracy over the epochs: means over the seeds, a line for each cell, a few of them told apart."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from plotly.graph_objects import Figure, Scatter

from analysis.page.figures.frame import GREY, figure, look, points, safe
from analysis.page.figures.limits import around, usual
from analysis.page.names import named_parts
from analysis.page.parts import ABSENT, Chart, Grid, Plot
from analysis.page.sweep import Sweep, rows_of
from analysis.page.wording import several
from analysis.stats.cells import BLOCK, is_control
from analysis.stats.curves import learning_curves
from analysis.tables.grid import percent

MORE = 3  # named lines beside the best, the worst and the baseline
EPOCHS = 12  # columns of the table
FAINT = "#c4c4c4"


def learning(sweep: Sweep) -> Plot | None:
    """None where there are no epochs of finished runs."""
    curves = learning_curves(sweep.runs, sweep.epochs)
    if curves.empty:
        return None
    having = sweep.shown[sweep.shown.index.isin(curves["cell"])]
    real = ~is_control(having)
    if not real.any():
        return None
    parts = named_parts(having[real])
    charts = [_chart(heading, group, curves) for heading, group in parts]
    drawn = pd.concat([group for _, group in parts])
    caption = [*_said(sweep, drawn), *([] if real.all() else ["Controls are left out."])]
    return Plot("Learning curves", " ".join(caption), charts, _data(sweep.table.loc[drawn.index], curves))


def _said(sweep: Sweep, drawn: pd.DataFrame) -> list[str]:
    biased = (sweep.table["protocol"] == "published").any()
    use = "under protocol published it selects, which flatters it" if biased else "it is tracked, and selects nothing"
    lines = [f"Mean test accuracy of the finished seeds; {use}."]
    if any(len(group) > len(_named(group)) for _, group in named_parts(drawn)):
        lines.append(
            f"Named: the baseline, the best, {MORE} more by what selects and the worst; the other cells are grey."
        )
    off = int((~usual(drawn)).sum())
    return [*lines, *([f"{several(off, 'cell')} far off may run out of the picture."] if off else [])]


def _named(group: pd.DataFrame) -> dict[Any, str]:
    """place -> name of the lines that are told apart: the best, its baseline, the worst that competes, and some."""
    taught = group[~group["is_baseline"]].sort_values("best", ascending=False, kind="stable")
    judged = taught[taught["competes"]] if taught["competes"].any() else taught
    worst = list(judged.index[1 + MORE :][-1:])
    chosen = [*_baseline(group, judged), *judged.index[: 1 + MORE], *worst]
    names = {place: "★ " * bool(group.at[place, "best"]) + str(group.at[place, "name"]) for place in chosen}
    return names | {place: f"worst: {names[place]}" for place in worst}


def _baseline(group: pd.DataFrame, judged: pd.DataFrame) -> list[Any]:
    """That of the best's block, or the first of several."""
    block = group.groupby([*BLOCK], dropna=False).ngroup()
    own = group.index[group["is_baseline"]]
    return [place for place in own if judged.empty or block[place] == block[judged.index[0]]][:1]


def _chart(heading: str, group: pd.DataFrame, curves: pd.DataFrame) -> Chart:
    found = figure(430, "epoch", "test accuracy (%)")
    by_cell = dict(iter(curves.groupby("cell")))
    named = _named(group)
    others = [cell for cell in rows_of(group) if cell.place not in named]
    for place, cell in enumerate(others):
        _faint(found, by_cell[cell.place], cell.name, several(len(others), "other cell") if place == 0 else "")
    distilled = iter(range(len(named)))
    for place, name in named.items():
        colour, symbol = (GREY, "circle-open") if group.at[place, "is_baseline"] else look(next(distilled))
        _line(found, by_cell[place], name, colour, symbol)
    inside = curves[curves["cell"].isin(group.index[usual(group)])]
    found.update_yaxes(range=around(100 * inside["mean"]))
    found.update_xaxes(tickformat="d", dtick=1 if curves["epoch"].max() <= 12 else None)
    found.update_layout(showlegend=True, meta={"legend": len(named) + bool(others)})
    said = f"Learning curves of {len(group)} cells over {curves['epoch'].max()} epochs. {heading}"
    return Chart(heading, said, found)


def _faint(found: Figure, curve: pd.DataFrame, name: str, legend: str) -> None:
    found.add_trace(
        Scatter(
            x=curve["epoch"].astype(int).tolist(),
            y=points(curve["mean"]),
            name=legend,
            showlegend=bool(legend),
            mode="lines",
            line={"color": FAINT, "width": 1},
            hovertext=_texts(curve, name),
            hoverinfo="text",
        )
    )


def _texts(curve: pd.DataFrame, name: str) -> list[str]:
    return [
        f"<b>{safe(name)}</b><br>epoch {row.epoch}: {percent(row.mean)} %"
        + ("" if pd.isna(row.half_width) else f" ± {percent(row.half_width)} (95 %)")
        + f", n={row.n}"
        for row in rows_of(curve)
    ]


def _line(found: Figure, curve: pd.DataFrame, name: str, colour: str, symbol: str) -> None:
    step = max(1, len(curve) // 8)
    found.add_trace(
        Scatter(
            x=curve["epoch"].astype(int).tolist(),
            y=points(curve["mean"]),
            name=safe(name),
            mode="lines+markers",
            line={"color": colour, "width": 2, "dash": "dash" if colour == GREY else "solid"},
            marker={"color": colour, "symbol": symbol, "size": 7, "maxdisplayed": len(curve) // step},
            hovertext=_texts(curve, name),
            hoverinfo="text",
        )
    )


def _data(shown: pd.DataFrame, curves: pd.DataFrame) -> Grid:
    last = int(curves["epoch"].max())
    epochs = range(last, 0, -math.ceil(last / EPOCHS))[::-1]  # at equal steps, the last one among them
    wide = curves.pivot(index="cell", columns="epoch", values="mean")
    header = ["cell", *(f"epoch {epoch}" for epoch in epochs)]
    rows = [
        [str(name), *(_word(wide.at[place, epoch] if epoch in wide else None) for epoch in epochs)]
        for place, name in zip(shown.index, shown["name"], strict=True)
    ]
    return Grid("Mean test accuracy in %", header, rows)


def _word(value: Any) -> str:
    return ABSENT if value is None or pd.isna(value) else percent(value)
