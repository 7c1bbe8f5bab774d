"""What the sweep cost: hours of processors and GPUs, the teacher's share, what was lost; and what is not recorded."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.page.parts import ABSENT, Grid, Section, Text
from analysis.page.sweep import Sweep
from analysis.page.wording import duration, hours, several

UNKNOWN = (
    "Not recorded: waiting for the teacher and for a place, starting workers, reading data, writing checkpoints, and "
    "epochs that an interrupted attempt did not save. A run that several sweeps share is counted in each."
)
ENDS = {"finished": "finished", "stopped": "stopped by a scheduler", "failed": "failed", "lost": "lost"}


def cost(sweep: Sweep) -> Section:
    """From the runs' own clocks."""
    runs = sweep.runs.assign(seconds=_sum(sweep.runs, ["train_seconds", "teacher_seconds"]))
    if not runs["seconds"].notna().any():
        return Section("cost", "Cost", [Text("No run recorded its time.", "note")])
    parts = [_hours(runs), Text(_said(runs)), *_speed(runs), Text(_missing(runs) + UNKNOWN, "note")]
    return Section("cost", "Cost", parts)


def _sum(runs: pd.DataFrame, columns: list[str]) -> pd.Series:
    return runs[columns].astype("Float64").sum(axis=1, min_count=1)


def _hours(runs: pd.DataFrame) -> Grid:
    ends = runs["status"].map(ENDS).fillna("not finished")
    lines = [_line(end, runs[ends == end]) for end in [*ENDS.values(), "not finished"] if (ends == end).any()]
    lines += [_line("all", runs)] if len(lines) > 1 else []
    header = ["runs", "number", "run time", "of this the teacher's", "processor core time", "GPU time"]
    return Grid("Time in runs, by how they ended", header, lines)


def _line(end: str, runs: pd.DataFrame) -> list[str]:
    seconds = runs["seconds"]
    gpu = (seconds * runs["gpus"]).dropna()
    processor = (seconds * runs["threads"])[_on_cpu(runs)].dropna()
    words = [
        _hours_of(seconds.dropna()),
        _hours_of(runs["teacher_seconds"].dropna()),
        _hours_of(processor),
        _hours_of(gpu),
    ]
    return [end, f"{len(runs):,}", *words]


def _hours_of(seconds: pd.Series) -> str:
    return hours(float(seconds.sum())) if len(seconds) else ABSENT


def _said(runs: pd.DataFrame) -> str:
    total, teacher = float(runs["seconds"].sum()), float(runs["teacher_seconds"].sum())
    lost = float(runs.loc[runs["status"] != "finished", "seconds"].sum())
    share = f"{100 * teacher / total:.0f} %" if total else ABSENT
    again = int((runs["attempts"].fillna(1) - 1).clip(lower=0).sum())
    lost_words = f"{duration(lost)} went into runs without a result" if lost else "none into runs without a result"
    return (
        f"The runs took {duration(total)} in all, {share} of it for the teacher's logits; {lost_words}. "
        f"{several(again, 'attempt') if again else 'No attempt'} beyond the first."
    )


def _on_cpu(runs: pd.DataFrame) -> pd.Series:
    return runs["device"].str.startswith("cpu").fillna(False).astype(bool)


def _speed(runs: pd.DataFrame) -> list[Any]:
    known = runs[runs["images_per_second"].notna()]
    if known.empty:
        return [Text("Images a second were not recorded.", "note")]
    lines = []
    for (device, student), own in known.groupby(["device", "student"], sort=True, dropna=False):
        speed = own["images_per_second"].astype("float64")
        spread = [f"{value:,.0f}" for value in (speed.median(), speed.min(), speed.max())]
        lines.append([_word(device), _word(student), f"{len(own):,}", *spread])
    header = ["device", "student", "runs", "images/s, median", "slowest", "fastest"]
    return [Grid("Training images a second, evaluation left out; other runs beside it", header, lines)]


def _word(value: Any) -> str:
    return ABSENT if pd.isna(value) else str(value)


def _missing(runs: pd.DataFrame) -> str:
    timed = runs["seconds"].notna()
    parts = [f"{several(int((~timed).sum()), 'run')} recorded no time. "] if (~timed).any() else []
    without = runs["gpus"].isna() & timed & ~_on_cpu(runs)
    parts += [f"{several(int(without.sum()), 'run')} did not record the share of a GPU held. "] if without.any() else []
    return "".join(parts)
