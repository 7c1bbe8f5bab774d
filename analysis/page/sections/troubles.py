"""What went wrong, and what would have shown that the gain is no artefact: failures and negative controls."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.page.figures.forest import data
from analysis.page.parts import ABSENT, Folded, Grid, Section, Text
from analysis.page.sweep import Sweep, rows_of
from analysis.page.wording import several

RUNS = 500  # listed


def failures(sweep: Sweep) -> Section:
    """Every run that gave no result, grouped by how it ended and why."""
    runs = sweep.runs[~sweep.runs.index.isin(sweep.finished.index)]
    if runs.empty:
        return Section(
            "failures", "Failures", [Text("Every run has finished." if len(sweep.runs) else "There are no runs.")]
        )
    runs = runs.assign(status=runs["status"].fillna("unfinished"), reason=[_reason(run) for run in rows_of(runs)])
    grouped = runs.groupby(["status", "reason"], sort=False).size().sort_values(ascending=False)
    lines = [[*map(str, key), f"{count:,}"] for key, count in zip(grouped.index, grouped, strict=True)]
    listed = [_line(sweep, run) for run in rows_of(runs.head(RUNS))]
    header = ["run", "cell", "seed", "status", "attempts", "epochs", "why"]
    rest = f", the first {RUNS}" if len(runs) > RUNS else ""
    each = Folded(
        f"{several(len(runs), 'run').capitalize()} without a result, one by one{rest}",
        [Grid("Runs without a result", header, listed)],
    )
    are = "is" if len(runs) == 1 else "are"
    said = f"{several(len(runs), 'run')} of {len(sweep.runs):,} gave no result, and {are} in no mean."
    return Section(
        "failures", "Failures", [Text(said), Grid("By how they ended", ["status", "why", "runs"], lines), each]
    )


def _reason(run: Any) -> str:
    if pd.notna(run.error) and str(run.error).strip():
        return str(run.error)
    if run.status == "finished":
        return "finished, but its test accuracy is missing or no number"
    return {"stopped": "by the scheduler", "running": "still running"}.get(str(run.status), "no reason recorded")


def _line(sweep: Sweep, run: Any) -> list[str]:
    known = [ABSENT if pd.isna(value) else str(value) for value in (run.seed, run.status, run.attempts, run.epochs_run)]
    return [str(run.spec_id), str(sweep.table.at[run.place, "name"]), *known, str(run.reason)]


def controls(sweep: Sweep) -> Section:
    """Runs under a teacher that knows nothing: what they gain is not the teacher's."""
    table = sweep.table[(sweep.table["control"].fillna("none") != "none") & (sweep.table["n"] > 0)]
    tried = sweep.table["control"].fillna("none").ne("none").any()
    if table.empty:
        said = (
            "were begun, but none has a result yet."
            if tried
            else "were not run; --control none shuffled-teacher adds them."
        )
        return Section("controls", "Negative controls", [Text(f"Negative controls {said}", "note")])
    text = (
        "The teacher's answers were shuffled over the images, or uniform, so they hold no knowledge. A gain here comes "
        "from something else than the teacher, and a real gain must exceed it. Controls never compete for best."
    )
    return Section("controls", "Negative controls", [Text(text), data(table)])
