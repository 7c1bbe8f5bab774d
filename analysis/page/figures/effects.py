"""What the spread between runs comes from, and which fields mattered: shares as bars."""

from __future__ import annotations

import pandas as pd
from plotly.graph_objects import Bar, Figure, Scatter

from analysis.page.figures.frame import COLOURS, GREY, look, rows, safe
from analysis.page.parts import Chart, Grid, Plot
from analysis.page.sweep import Sweep, rows_of
from analysis.page.wording import chance, where
from analysis.plots.names import SIGNS
from analysis.stats.cells import COMPARABLE
from analysis.stats.importance import importance_of
from analysis.stats.variance import LUCK
from analysis.tables.grid import percent

MANY = 30  # cells, from which on importance says something: the best tenth are three


def shares(sweep: Sweep) -> Plot | None:
    """None where luck cannot be told from settings: one seed, or nothing swept."""
    table = sweep.shares
    if table.empty:
        return None
    charts = [
        Chart(heading, f"Shares of the variance, {heading or 'all runs'}: {_said(group)}", _bars(group))
        for heading, group in groups(table)
    ]
    off = int(table["left_out"].max())
    without = f" Without {off} cells that lie far off." if off else ""
    caption = f"Shares of the variance between the distilled runs. Grey: luck, the seed's share and the rest.{without}"
    return Plot("What the spread comes from", caption, charts, _shares_data(table))


def important(sweep: Sweep) -> Plot | None:
    """None where too few cells can be compared, or one field alone was swept, which then has all of it."""
    table = importance_of(sweep.table)
    if table["field"].nunique() < 2:
        return None
    charts = [
        Chart(heading, f"Importance of {group['field'].nunique()} fields by evaluator.", _dots(group))
        for heading, group in groups(table)
    ]
    caption = (
        f"Importance for validation accuracy by Optuna's evaluators, over the means of {_counted(table['cells'])} "
        "distilled cells; they measure different things and may disagree."
    )
    caption += " From so few cells they say little." if table["cells"].min() < MANY else ""
    return Plot("Which fields mattered", caption, charts, _importance_data(table))


def groups(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The comparable parts of a table, with what tells them apart."""
    return [
        (where(table, dict(zip(COMPARABLE, key, strict=True))), group)
        for key, group in table.groupby([*COMPARABLE], dropna=False, sort=True)
    ]


def _bars(group: pd.DataFrame) -> Figure:
    lines = rows_of(group)
    found = rows([SIGNS.get(row.source, row.source) for row in lines], "share of the variance (%)")
    texts = [
        f"<b>{safe(row.source)}</b><br>{100 * row.share:.1f} % of the variance<br>sd {percent(row.sd)} points"
        for row in lines
    ]
    bars = Bar(
        x=[round(100 * row.share, 2) for row in lines],
        y=list(range(len(lines))),
        orientation="h",
        width=0.45,
        marker={"color": [GREY if row.source in LUCK else COLOURS[0] for row in lines]},
        hovertext=texts,
        hoverinfo="text",
    )
    return found.add_trace(bars).update_xaxes(range=[0, max(105 * group["share"].max(), 5)])


def _said(group: pd.DataFrame) -> str:
    return ", ".join(f"{row.source} {100 * row.share:.0f} %" for row in rows_of(group))


def _shares_data(table: pd.DataFrame) -> Grid:
    header = ["source", "share", "sd in points", "df", "p"]
    lines = [
        [
            ": ".join(filter(None, [heading, row.source])),
            f"{100 * row.share:.1f} %",
            percent(row.sd),
            str(row.df),
            chance(row.p),
        ]
        for heading, group in groups(table)
        for row in rows_of(group)
    ]
    return Grid("Shares of the variance", header, lines)


def _dots(group: pd.DataFrame) -> Figure:
    fields = list(group.groupby("field")["importance"].mean().sort_values(ascending=False).index)
    looks = {name: look(i) for i, name in enumerate(sorted(set(group["evaluator"])))}
    found = rows([SIGNS.get(field, field) for field in fields], "importance (adds up to 1)")
    for evaluator, (colour, symbol) in looks.items():
        own = rows_of(group[group["evaluator"] == evaluator])
        found.add_trace(
            Scatter(
                x=[row.importance for row in own],
                y=[fields.index(row.field) for row in own],
                name=safe(evaluator),
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 11},
                hovertext=[f"<b>{safe(row.field)}</b><br>{safe(evaluator)}: {row.importance:.2f}" for row in own],
                hoverinfo="text",
            )
        )
    found.update_layout(showlegend=True, meta={**found.layout.meta, "legend": len(looks)})
    return found.update_xaxes(range=[-0.03, 1.03])


def _importance_data(table: pd.DataFrame) -> Grid:
    lines = [
        [": ".join(filter(None, [heading, row.field])), str(row.evaluator), f"{row.importance:.2f}", str(row.cells)]
        for heading, group in groups(table)
        for row in rows_of(group)
    ]
    return Grid("Importance", ["field", "evaluator", "importance", "cells"], lines)


def _counted(counts: pd.Series) -> str:
    return " or ".join(str(count) for count in dict.fromkeys(counts))
