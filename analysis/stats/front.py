"""What a student costs in use, and which students nothing cheaper equals. DataFrame -> DataFrame, no I/O."""

from __future__ import annotations

import pandas as pd

from analysis.stats.cells import EXACT, cells, is_whole, placed

SETTING = ("dataset", "protocol")  # accuracies of different ones are on different images, or chosen otherwise
WITHOUT = {"without_teacher": "Float64", "without_half_width": "Float64", "without_n": "Int64"}


def students(runs: pd.DataFrame) -> pd.DataFrame:
    """The table of ``cells(runs)``, same rows, with what the trained student of each costs, over its finished runs.

    parameters: trainable ones
    latency_seconds: one image through it, the median over the runs that were on ``device``
    device: what they ran on, with the threads on a CPU; where there are several the commonest of those with a latency
    teacher_agreement: mean share of test images that student and teacher give one class; missing for a baseline

    A latency was measured with other runs beside it, and no number is of two devices.
    """
    table = cells(runs)
    found = placed(runs)
    found = found[(found["status"] == "finished").fillna(False)]
    by_cell = found.groupby("cell")
    # of one network all runs have one count
    table["parameters"] = by_cell["parameters"].max().reindex(table.index)
    latencies = _latencies(found.assign(device=_devices(found)))
    table[["device", "latency_seconds"]] = latencies.reindex(table.index)
    agreement = by_cell["teacher_agreement"].mean().reindex(table.index)
    table["teacher_agreement"] = agreement.mask(table["is_baseline"])
    return table


def contenders(table: pd.DataFrame) -> pd.DataFrame:
    """Of ``students(runs)`` one row a data set, protocol and student: the cell that its own scores choose.

    That is, of its longest budget with a cell that may be the best, the one with the highest selected_by (validation
    accuracy; under protocol published test accuracy): the best distilled cell, or the undistilled one where that is no
    worse. Negative controls and cells with a run that is not finished do not compete.

    without_teacher, without_half_width, without_n: mean, half_width and n of the undistilled cell of that budget that
    has the highest selected_by; missing where none has finished
    """
    alone = table["is_baseline"] & is_whole(table) & table["selected_by"].notna()
    able = table[(table["best"] | alone) & (table["n"] > 0)].copy()
    able["score"] = able["selected_by"].round(EXACT)
    able = able.sort_values(["score", "is_baseline"], ascending=False, kind="stable")
    groups = able.groupby([*SETTING, "student"], dropna=False, sort=True)
    rows = [_contender(group) for _, group in groups]
    found = pd.concat(rows, ignore_index=True) if rows else able.reindex(columns=[*able.columns, *WITHOUT])
    return found.drop(columns="score").astype(WITHOUT)


def on_front(table: pd.DataFrame, cost: str, value: str = "mean") -> pd.Series:
    """Which rows are not dominated: no other has as much of ``value`` for less ``cost``, or more of it for as much.

    Never one whose cost or value is missing. The caller gives rows that may be compared: of one data set and protocol,
    and for latencies of one device.
    """
    known = table[[cost, value]].astype("float64").dropna()
    worth = known[value].round(EXACT)
    best = worth.groupby(known[cost]).max().sort_index()
    cheaper = best.cummax().shift(fill_value=float("-inf"))
    on = worth.eq(known[cost].map(best)) & worth.gt(known[cost].map(cheaper))
    return on.reindex(table.index, fill_value=False).astype(bool)


def _contender(group: pd.DataFrame) -> pd.DataFrame:
    """The first row of its longest budget, best first, with the undistilled one beside it."""
    distilled = group[~group["is_baseline"]]
    budget = (group if distilled.empty else distilled)["epochs"].max()
    group = group[(group["epochs"] == budget).fillna(False) | pd.isna(budget)]
    beside = group[group["is_baseline"]][["mean", "half_width", "n"]].head(1).reset_index(drop=True).reindex([0])
    beside.columns = pd.Index([*WITHOUT])
    return group.head(1).reset_index(drop=True).join(beside)


def _devices(runs: pd.DataFrame) -> pd.Series:
    """'cpu (AMD EPYC), 1 thread': a CPU's latency is that of so many threads."""
    words = [
        f"{device}, {n} thread{'s' if n > 1 else ''}" if pd.notna(n) and str(device).startswith("cpu") else device
        for device, n in zip(runs["device"], runs["threads"], strict=True)
    ]
    return pd.Series(words, runs.index, dtype="string")


def _latencies(runs: pd.DataFrame) -> pd.DataFrame:
    """By cell: the commonest device, those with a latency first, and the median there."""
    by_device = runs.groupby(["cell", "device"], as_index=False)["latency_seconds"].agg(["median", "count", "size"])
    order = by_device.sort_values(["count", "size"], ascending=False, kind="stable")
    return (
        order.drop_duplicates("cell")
        .set_index("cell")[["device", "median"]]
        .rename(columns={"median": "latency_seconds"})
    )
