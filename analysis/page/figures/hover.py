"""What stands beside the pointer: the cell or the run, in a few lines."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.page.figures.frame import safe
from analysis.page.sweep import METRIC, Sweep, rows_of
from analysis.page.wording import interval
from analysis.tables.grid import percent

LISTED = 5  # runs of a cell


def cell_texts(sweep: Sweep, table: pd.DataFrame) -> list[str]:
    """The hover text of each cell of ``table``, some rows of ``sweep.table``."""
    members: dict[int, list[str]] = {}
    for run in rows_of(sweep.finished.sort_values("seed")[["place", "seed", METRIC, "spec_id"]]):
        words = f"seed {run.seed}: {percent(run.test_accuracy_last)} %, run {safe(run.spec_id)}"
        members.setdefault(run.place, []).append(words)
    return ["<br>".join([*_cell(cell), *_few(members.get(cell.place, []))]) for cell in rows_of(table)]


def run_texts(sweep: Sweep, runs: pd.DataFrame) -> list[str]:
    """The hover text of each run."""
    names = sweep.table["name"]
    return ["<br>".join(_run(run, str(names[run.place]))) for run in rows_of(runs)]


def _cell(cell: Any) -> list[str]:
    star = " ★ best" if cell.best else ""
    spread = "" if pd.isna(cell.sd) else f" ± {percent(cell.sd)} (sd)"
    lines = [f"<b>{safe(cell.name)}</b>{star}", f"test accuracy {percent(cell.mean)} %{spread}, n={cell.n}"]
    if pd.notna(cell.difference):
        alone = f", 95 % {interval(cell.low, cell.high)}" if pd.notna(cell.low) else ""
        lines.append(f"gain {percent(cell.difference, '+')} points{alone}")
    if pd.notna(cell.family_low):
        lines.append(f"95 % for all cells at once {interval(cell.family_low, cell.family_high)}")
    return lines + ([setting(cell)] if setting(cell) else [])


def _few(lines: list[str]) -> list[str]:
    return lines[:LISTED] + ([f"and {len(lines) - LISTED} runs more"] if len(lines) > LISTED else [])


def _run(run: Any, name: str) -> list[str]:
    gain = "" if pd.isna(run.gain) else f", gain {percent(run.gain, '+')} points"
    lines = [f"<b>run {safe(run.spec_id)}</b>", f"{safe(name)}, seed {run.seed}"]
    lines.append(f"test accuracy {percent(run.test_accuracy_last)} %{gain}")
    return lines + ([setting(run)] if setting(run) else [])


def setting(row: Any) -> str:
    """'method kd, mode cse, α 0.5, T 4': what there is of these."""
    method = None if row.method == "none" else row.method  # a baseline's, which its name says
    pairs = (("method", method), ("mode", row.mode), ("α", row.alpha), ("T", row.temperature))
    words = [
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in pairs
        if pd.notna(value)
    ]
    return safe(", ".join(words))
