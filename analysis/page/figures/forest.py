"""What each cell gained, with its own interval and the wider one that holds for all cells at once."""

from __future__ import annotations

from typing import Any

import pandas as pd
from plotly.graph_objects import Figure, Scatter

from analysis.page.figures.frame import GREY, INK, ROWS, points, rows, style
from analysis.page.figures.hover import cell_texts
from analysis.page.figures.limits import beyond, symbols, usual, within
from analysis.page.figures.limits import said as outside
from analysis.page.names import named_parts
from analysis.page.parts import ABSENT, Chart, Grid, Plot
from analysis.page.sweep import Sweep, rows_of
from analysis.page.wording import chance, interval
from analysis.stats.cells import COMPARABLE, is_control
from analysis.tables.grid import percent

WIDE = 4  # times the usual width: such an interval, of a cell that stands alone, would press all others together
APART = "†"


def forest(sweep: Sweep) -> Plot | None:
    """None where no difference to a baseline is known."""
    table = sweep.table[sweep.table["difference"].notna()].sort_values("difference", ascending=False)
    if table.empty:
        return None
    table = marked(table)
    parts = named_parts(table)
    limits = _limits(table)
    charts = [_chart(sweep, heading, _shown(group), limits) for heading, group in parts]
    few = [f"{heading or 'Here'}: {_few(group)}" for heading, group in parts if len(group) > ROWS]
    said = [*_said(table), *outside(100 * table["difference"], limits), *few]
    return Plot("Gains over the baseline", " ".join(said), charts, data(table))


def marked(table: pd.DataFrame) -> pd.DataFrame:
    """With ``apart``, cells that stand alone while others of their family share a spread; ``uneven``, where all do."""
    alone = ~table["pooled"].fillna(True).astype(bool)
    control = is_control(table).rename("is_control")
    all_alone = alone.groupby([*(table[name] for name in COMPARABLE), control], dropna=False).transform("all")
    return table.assign(apart=alone & ~all_alone, uneven=alone & all_alone)


def _said(table: pd.DataFrame) -> list[str]:
    if not table["low"].notna().any():
        return ["No interval is known: that takes two seeds or more that differ."]
    lines = [
        "Thick: 95 % interval of this cell alone. Thin: of all compared cells at once; one that clears 0 stands "
        "although many were tried."
    ]
    if is_control(table).any():
        lines.append("Negative controls are a family of their own.")
    return [*lines, *spreads(table)]


def spreads(table: pd.DataFrame) -> list[str]:
    """Which cells of a ``marked`` table do not share the others' spread."""
    lines = ["The cells' spreads differ, so each stands on its own seeds."] if table["uneven"].any() else []
    if table["apart"].any():
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
    gains = points(shown["difference"])
    beyond(found, gains, limits, "+.2f")
    found.add_trace(
        Scatter(
            x=within(gains, limits),
            y=list(range(len(shown))),
            mode="markers",
            marker={
                "color": [looks[kind][0] for kind in shown["kind"]],
                "symbol": symbols(gains, limits, [looks[kind][1] for kind in shown["kind"]]),
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
    """One scale for all charts: the gains of the usual cells, and their intervals but for uncommonly wide ones."""
    shown = shown[usual(shown)]
    ends = [100 * shown["difference"].astype("float64"), pd.Series([0.0])]
    for low, high in (("low", "high"), ("family_low", "family_high")):
        width = (shown[high] - shown[low]).astype("float64")
        narrow = shown[width <= WIDE * width.median()]
        ends += [100 * narrow[low].astype("float64"), 100 * narrow[high].astype("float64")]
    joined = pd.concat(ends)
    margin = 0.04 * max(joined.max() - joined.min(), 0.5)
    return [joined.min() - margin, joined.max() + margin]


def _label(cell: Any) -> str:
    apart = f" {APART}" if cell.apart else ""
    return f"★ {cell.name}{apart}" if cell.best else f"{cell.name}{apart}"


def data(table: pd.DataFrame) -> Grid:
    """Every difference of a ``marked`` table with both intervals and both p."""
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
