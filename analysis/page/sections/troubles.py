"""What went wrong, and what would have shown that the gain is no artefact: failures and negative controls."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.page.figures.forest import data, marked, spreads
from analysis.page.parts import ABSENT, Folded, Grid, Section, Text
from analysis.page.sweep import Sweep, rows_of
from analysis.page.wording import interval, several
from analysis.stats.cells import KEY, Gain, half_width, is_control, paired
from analysis.tables.grid import percent

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
    begun = sweep.table[is_control(sweep.table)]
    table = begun[begun["n"] > 0]
    if table.empty:
        said = (
            "were begun, but none has a result yet."
            if len(begun)
            else "were not run; --control none shuffled-teacher adds them."
        )
        return Section("controls", "Negative controls", [Text(f"Negative controls {said}", "note")])
    text = (
        "The teacher's answers were shuffled over the images, or uniform, so they hold no knowledge. A gain here comes "
        "from something else than the teacher, and a real gain must exceed it. Controls never compete for best."
    )
    shown = marked(table)
    notes = [Text(line, "note") for line in spreads(shown)]
    return Section("controls", "Negative controls", [Text(text), *_against_real(sweep), *notes, data(shown)])


def _against_real(sweep: Sweep) -> list[Any]:
    """The comparison that matters: the real teacher's cell less the control of the same setting, paired by seed."""
    pairs = [(control, paired(real.by_seed, control.by_seed)) for control, real in _pairs(sweep.table)]
    known = [(control, gain) for control, gain in pairs if gain is not None]
    if not known:
        return [Text("No control shares its setting and a finished seed with a cell of the real teacher.", "note")]
    ends = [_interval(gain) for _, gain in known]
    lines = [
        [str(control.name), percent(gain.gain, "+"), interval(*own) or ABSENT, str(gain.gain_n)]
        for (control, gain), own in zip(known, ends, strict=True)
    ]
    header = ["control", "real less control", "95 %", "n"]
    caption = "The real cell of the same setting less its control, in points: mean of the differences paired by seed"
    above = sum(low > 0 for low, _ in ends)
    return [Text(_real_said([gain.gain for _, gain in known], above)), Grid(caption, header, lines)]


def _interval(gain: Gain) -> tuple[float, float]:
    half = half_width(gain.gain_sd, gain.gain_n)
    return gain.gain - half, gain.gain + half


def _pairs(table: pd.DataFrame) -> list[tuple[Any, Any]]:
    """Each control with the cell that differs from it in nothing but the control."""
    setting = table.groupby([name for name in KEY if name != "control"], dropna=False).ngroup()
    apart = is_control(table)
    real = dict(zip(setting[~apart], rows_of(table[~apart]), strict=True))
    controls = zip(setting[apart], rows_of(table[apart]), strict=True)
    return [(control, real[place]) for place, control in controls if place in real]


def _real_said(means: list[float], above: int) -> str:
    low, high = percent(min(means), "+"), percent(max(means), "+")
    span = low if low == high else f"{low} to {high}"
    return (
        f"The real teacher's cell less the control of the same setting: {span} points; the 95 % interval lies above 0 "
        f"in {above} of {several(len(means), 'setting')}."
    )
