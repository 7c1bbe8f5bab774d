"""Accuracy against what a student costs: its parameters and its measured latency, with the front."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd
from plotly.graph_objects import Scatter

from analysis.page.figures.frame import INK, figure, points, safe, style
from analysis.page.figures.hover import cell_texts
from analysis.page.names import PARTS
from analysis.page.parts import ABSENT, Chart, Grid, Plot, Text
from analysis.page.sweep import Sweep, rows_of
from analysis.stats.cells import is_control
from analysis.stats.front import on_front, students
from analysis.tables.grid import comparable, percent


class Cost(NamedTuple):
    """A column of ``students``, its axis, and what its values are multiplied by there."""

    column: str
    axis: str
    factor: float


APART = ("dataset", "protocol")  # accuracies on other images, or chosen otherwise, share no front
COSTS = (
    Cost("parameters", "parameters of the student", 1.0),
    Cost("latency_seconds", "latency of one image (ms)", 1000.0),
)


def front(sweep: Sweep) -> Plot | Text | None:
    """A sentence where all cells train one student, or nothing of their cost is known."""
    table = sweep.table.join(students(sweep.runs)[[*(cost.column for cost in COSTS), "device"]])
    table = table[(table["n"] > 0) & ~is_control(table)]
    if table["student"].nunique() < 2:
        return Text(_one(table), "note") if len(table) else None
    known = [cost for cost in COSTS if table[cost.column].notna().any()]
    charts = [
        _chart(sweep, heading, group, cost)
        for cost in known
        for heading, group in comparable(table[table[cost.column].notna()], APART)
    ]
    caption = " ".join([*_said(table), *(f"Not recorded: {cost.axis}." for cost in COSTS if cost not in known)])
    return Plot("Accuracy against cost", caption, charts[:PARTS], _data(table)) if charts else Text(caption, "note")


def _said(table: pd.DataFrame) -> list[str]:
    lines = [
        "A dot is a cell; the line joins those that no other beats in accuracy at their cost or below. Means over few "
        "seeds: a place on the line may be luck."
    ]
    devices = sorted(table.loc[table["latency_seconds"].notna(), "device"].dropna().unique())
    if devices:
        lines.append(f"Latency: median over a cell's runs on {', '.join(devices)}, other runs beside it.")
    return [*lines, "Those of several devices do not compare."] if len(devices) > 1 else lines


def _one(table: pd.DataFrame) -> str:
    counts = table["parameters"].dropna().unique()
    size = f" of {int(counts[0]):,} parameters" if len(counts) == 1 else ""
    times = 1000 * table["latency_seconds"].dropna()
    latency = f"; one image takes {times.median():.2f} ms (median)" if len(times) else "; its latency was not recorded"
    name = next(iter(table["student"].dropna()), "student")
    return f"Accuracy against cost: no figure, since all cells train one student, {name}{size}{latency}."


def _chart(sweep: Sweep, heading: str, table: pd.DataFrame, cost: Cost) -> Chart:
    found = figure(400, cost.axis, "test accuracy (%)")
    looks = style(list(table["student"].fillna("?")))
    one_device = cost.column != "latency_seconds" or table["device"].nunique() == 1
    best = table[on_front(table, cost.column) & one_device].sort_values(cost.column)
    line = {"color": INK, "width": 1.2, "dash": "dot", "shape": "hv"}
    x = (best[cost.column].astype("float64") * cost.factor).tolist()
    found.add_trace(Scatter(x=x, y=points(best["mean"]), mode="lines", line=line, name="front", hoverinfo="skip"))
    for student, own in table.groupby("student", sort=True):
        found.add_trace(_dots(sweep, own, cost, str(student), *looks[str(student)]))
    found.update_layout(meta={"legend": table["student"].nunique() + 1})
    values = table[cost.column].astype("float64") * cost.factor
    if values.min() > 0 and values.max() / values.min() > 8:
        found.update_xaxes(type="log")
    return Chart(
        heading, f"Accuracy against {cost.axis}, {len(table)} cells, {len(best)} on the front. {heading}", found
    )


def _dots(sweep: Sweep, own: pd.DataFrame, cost: Cost, name: str, colour: str, symbol: str) -> Scatter:
    texts = cell_texts(sweep, own)
    costs = [value * cost.factor for value in own[cost.column].astype("float64")]
    return Scatter(
        x=costs,
        y=points(own["mean"]),
        name=safe(name),
        mode="markers",
        marker={"color": colour, "symbol": symbol, "size": 9, "opacity": 0.8},
        hovertext=[f"{text}<br>{cost.axis}: {_word(value)}" for text, value in zip(texts, costs, strict=True)],
        hoverinfo="text",
    )


def _data(table: pd.DataFrame) -> Grid:
    lines = []
    for cell in rows_of(table.sort_values("mean", ascending=False)):
        row: Any = cell
        device = ABSENT if pd.isna(row.device) else str(row.device)
        latency = ABSENT if pd.isna(row.latency_seconds) else f"{1000 * row.latency_seconds:.2f}"
        parameters = ABSENT if pd.isna(row.parameters) else f"{int(row.parameters):,}"
        lines.append([str(row.name), percent(row.mean), parameters, latency, device])
    return Grid("Cells by accuracy", ["cell", "test accuracy (%)", "parameters", "latency (ms)", "device"], lines)


def _word(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
