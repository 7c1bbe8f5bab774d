"""What each cell gained, with its own interval and the wider one that holds for all cells at once."""

from __future__ import annotations

from typing import Any

import pandas as pd
from plotly.graph_objects import Figure, Scatter

from analysis.page.figures.frame import GREY, INK, ROWS, points, rows, style
from analysis.page.figures.hover import cell_texts
from analysis.page.names import named_parts
from analysis.page.parts import ABSENT, Chart, Grid, Plot
from analysis.page.sweep import Sweep, rows_of
from analysis.page.wording import chance, interval
from analysis.tables.grid import percent

WIDE = 4  # times the usual width: such an interval, of a cell that stands alone, would press all others together
APART = "†"


def forest(sweep: Sweep) -> Plot | None:
    """None where no difference to a baseline is known."""
    table = sweep.table[sweep.table["difference"].notna()].sort_values("difference", ascending=False)
    if table.empty:
        return None
    parts = named_parts(table)
    limits = _limits(table)
    charts = [_chart(sweep, heading, _shown(group), limits) for heading, group in parts]
    few = [f"{heading or 'Here'}: {_few(group)}" for heading, group in parts if len(group) > ROWS]
    return Plot("Gains over the baseline", " ".join([*_said(table), *few]), charts, data(table))


def _said(table: pd.DataFrame) -> list[str]:
    if not table["low"].notna().any():
        return ["No interval is known: that takes two seeds or more that differ."]
    lines = [
        "Thick: 95 % interval of this cell alone. Thin: of all compared cells at once; one that clears 0 stands "
        "although many were tried."
    ]
    if (~table["pooled"].fillna(True)).any():
        lines.append(
            f"{APART}: its spread differs from the others' by more than luck, so it stands on its own seeds alone; its "
            "bar may run out of the picture."
        )
    return lines


def _few(group: pd.DataFrame) -> str:
    return f"{ROWS} of {len(group)} cells, the highest and the lowest gains."


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    half = ROWS // 2
    return table if len(table) <= ROWS else pd.concat([table.head(half), table.tail(half)])


def _chart(sweep: Sweep, heading: str, shown: pd.DataFrame, limits: list[float]) -> Chart:
    found = rows([_label(cell) for cell in rows_of(shown)], "gain over the baseline (points)")
    found.add_vline(x=0, line={"color": INK, "width": 1})
    _bars(found, shown, "family_low", "family_high", 1.2)
    _bars(found, shown, "low", "high", 5.0)
    looks = style(list(sweep.table["kind"]))
    found.add_trace(
        Scatter(
            x=points(shown["difference"]),
            y=list(range(len(shown))),
            mode="markers",
            marker={
                "color": [looks[kind][0] for kind in shown["kind"]],
                "symbol": [looks[kind][1] for kind in shown["kind"]],
                "size": 9,
                "line": {"color": "#ffffff", "width": 1},
            },
            hovertext=cell_texts(sweep, shown),
            hoverinfo="text",
        )
    )
    found.update_xaxes(range=limits)
    return Chart(heading, f"Forest plot of {len(shown)} differences to the baseline, in points. {heading}", found)


def _bars(found: Figure, shown: pd.DataFrame, low: str, high: str, width: float) -> None:
    x: list[Any] = []
    y: list[Any] = []
    for row, (left, right) in enumerate(zip(points(shown[low]), points(shown[high]), strict=True)):
        if left is not None and right is not None:
            x += [left, right, None]
            y += [row, row, None]
    line = {"color": GREY, "width": width}
    found.add_trace(Scatter(x=x, y=y, mode="lines", line=line, opacity=0.75, hoverinfo="skip"))


def _limits(shown: pd.DataFrame) -> list[float]:
    """One scale for all charts: every gain, and the intervals but for uncommonly wide ones."""
    ends = [100 * shown["difference"].astype("float64"), pd.Series([0.0])]
    for low, high in (("low", "high"), ("family_low", "family_high")):
        width = (shown[high] - shown[low]).astype("float64")
        usual = shown[width <= WIDE * width.median()]
        ends += [100 * usual[low].astype("float64"), 100 * usual[high].astype("float64")]
    joined = pd.concat(ends)
    margin = 0.04 * max(joined.max() - joined.min(), 0.5)
    return [joined.min() - margin, joined.max() + margin]


def _label(cell: Any) -> str:
    apart = f" {APART}" if cell.pooled is not pd.NA and not cell.pooled else ""
    return f"★ {cell.name}{apart}" if cell.best else f"{cell.name}{apart}"


def data(table: pd.DataFrame) -> Grid:
    """Every difference with both intervals and both p."""
    header = ["cell", "gain", "95 %, this cell alone", "95 %, all at once", "p, alone", "p, all at once", "n"]
    cells = rows_of(table)
    lines = [
        [
            _label(cell),
            ABSENT if pd.isna(cell.difference) else percent(cell.difference, "+"),
            interval(cell.low, cell.high) or ABSENT,
            interval(cell.family_low, cell.family_high) or ABSENT,
            chance(cell.p),
            chance(cell.p_family),
            str(cell.n),
        ]
        for cell in cells
    ]
    strong = frozenset((row, 0) for row, cell in enumerate(cells) if cell.best)
    return Grid("Differences to the baseline in points", header, lines, strong=strong)
