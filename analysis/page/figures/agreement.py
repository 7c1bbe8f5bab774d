"""How often student and teacher say the same of a test image, beside how often the student is right."""

from __future__ import annotations

import pandas as pd
from plotly.graph_objects import Figure, Scatter

from analysis.page.figures.frame import figure, points, safe, style
from analysis.page.figures.hover import run_texts
from analysis.page.figures.limits import around, usual
from analysis.page.parts import Chart, Grid, Plot
from analysis.page.sweep import METRIC, Sweep
from analysis.page.wording import listed, several
from analysis.tables.grid import percent


def agreement(sweep: Sweep) -> Plot | None:
    """None where no finished run recorded it."""
    runs = sweep.finished[sweep.finished["teacher_agreement"].notna()]
    if runs.empty:
        return None
    kinds = sweep.table["kind"][runs["place"]].to_numpy()
    looks = style(list(sweep.table["kind"]))
    found = figure(400, "agreement with the teacher (%)", "test accuracy (%)")
    for kind in dict.fromkeys(kinds):
        _dots(found, sweep, runs[kinds == kind], str(kind), *looks[kind])
    without = sweep.finished[sweep.finished["teacher_agreement"].isna() & (sweep.finished["method"] != "none")]
    said = ["A dot is a run: on which share of the test images it gives the teacher's class, and how accurate it is."]
    said += [f"{several(len(without), 'distilled run')} did not record it."] if len(without) else []
    said += _within(found, sweep, runs)
    chart = Chart("", f"Accuracy against agreement with the teacher, {len(runs)} runs.", found)
    found.update_layout(showlegend=len(set(kinds)) > 1, meta={"legend": len(set(kinds))})
    return Plot("Agreement with the teacher", " ".join(said), [chart], _data(sweep, runs))


def _within(found: Figure, sweep: Sweep, runs: pd.DataFrame) -> list[str]:
    """Sets the limits by the usual cells; which runs they leave out, in a sentence."""
    inside = usual(sweep.table)[runs["place"]].to_numpy()
    inside = inside if inside.any() else ~inside
    beyond = pd.Series(False, index=runs.index)
    for set_axis, column in ((found.update_xaxes, "teacher_agreement"), (found.update_yaxes, METRIC)):
        values = 100 * runs[column].astype("float64")
        low, high = around(values[inside])
        set_axis(range=[low, high])
        beyond |= (values < low) | (values > high)
    kinds = sorted(set(sweep.table["kind"][runs.loc[beyond, "place"]]))
    return [f"Outside the picture: {several(int(beyond.sum()), 'run')} ({listed(kinds)})."] if kinds else []


def _dots(found: Figure, sweep: Sweep, runs: pd.DataFrame, kind: str, colour: str, symbol: str) -> None:
    found.add_trace(
        Scatter(
            x=points(runs["teacher_agreement"]),
            y=points(runs[METRIC]),
            name=safe(kind),
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 9, "opacity": 0.8},
            hovertext=run_texts(sweep, runs),
            hoverinfo="text",
        )
    )


def _data(sweep: Sweep, runs: pd.DataFrame) -> Grid:
    means = runs.groupby("place")[["teacher_agreement", METRIC]].mean()
    means = means.sort_values(METRIC, ascending=False)
    rows = [
        [str(sweep.table.at[place, "name"]), percent(shared), percent(accuracy)]
        for place, shared, accuracy in zip(means.index, means["teacher_agreement"], means[METRIC], strict=True)
    ]
    return Grid("Means of the cells in %", ["cell", "agreement", "test accuracy"], rows)
