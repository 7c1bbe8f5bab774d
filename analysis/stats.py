"""Runs -> cells: what each combination gave over its seeds, and what it gained. DataFrame -> DataFrame, no I/O."""

from __future__ import annotations

import pandas as pd

from kd_trainable.records import SPEC_COLUMNS

# A cell is everything of the spec but the seed. Its block is all of that which has nothing to do with the
# teacher: a cell and the baseline of its block trained alike, and under one seed saw the same pixels.
KEY = tuple(column.name for column in SPEC_COLUMNS if column.name != "seed")
DISTILLATION = (
    "teacher",
    "method",
    "hyperparameters",
    "mode",
    "temperature",
    "alpha",
    "temperature_schedule",
    "alpha_schedule",
    "convention",
    "control",
)
BLOCK = tuple(name for name in KEY if name not in DISTILLATION)
# Cells that differ in one of these answer different questions: no one of them is the best.
COMPARABLE = ("dataset", "student", "epochs", "protocol")


def cells(runs: pd.DataFrame, metric: str = "test_accuracy_last") -> pd.DataFrame:
    """One row a cell, sorted by its spec: the columns of ``KEY`` and these (accuracies are fractions of 1).

    mean, sd, n: of ``metric`` over the finished runs (sd by n - 1, missing for n = 1); one stopped early by its
      own patience is finished; failed, lost, unfinished runs and those a scheduler stopped are never averaged
    seeds: the seeds of those n runs, as text
    n_failed, n_stopped, n_unfinished (lost ones too), stopped_at: counts, and the furthest epoch of a stopped run
    selected_by: mean of what selects, validation_accuracy_last; under protocol published test_accuracy_last,
      which is biased
    gain, gain_sd, gain_n: mean, sd and number of the differences to the baseline of the block, paired by seed
    is_baseline: not distilled; the fields of distillation are then missing
    best: highest selected_by of the distilled cells of one data set, student, budget and protocol. Negative
      controls do not compete, nor cells with a run that is not finished, nor those with fewer runs than is usual
    """
    runs = _labelled(runs, metric)
    by_cell = runs.groupby("cell")
    table = by_cell.head(1).set_index("cell")[[*KEY, "is_baseline"]]
    table = table.join([_averages(runs), _counts(runs), _gains(runs)])
    table[["gain_n", "stopped_at"]] = table[["gain_n", "stopped_at"]].astype("Int64")
    table["gain_n"] = table["gain_n"].fillna(0)
    table = table.sort_values([*KEY], ignore_index=True)
    return table.assign(best=_best(table))


def _labelled(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The runs, each once, with columns cell, block, is_baseline, value (missing unless finished) and score."""
    runs = runs.drop_duplicates("spec_id").copy()
    runs["is_baseline"] = (runs["method"] == "none").fillna(False).astype(bool)
    for name in DISTILLATION:  # defaults left in a baseline's row must not make two cells of it
        if name != "method":
            runs[name] = runs[name].mask(runs["is_baseline"])
    runs["cell"] = runs.groupby([*KEY], dropna=False).ngroup()
    runs["block"] = runs.groupby([*BLOCK], dropna=False).ngroup()
    finished = (runs["status"] == "finished").fillna(False)
    published = (runs["protocol"] == "published").fillna(False)
    runs["value"] = runs[metric].where(finished)
    runs["score"] = runs["test_accuracy_last"].where(published, runs["validation_accuracy_last"]).where(finished)
    return runs


def _averages(runs: pd.DataFrame) -> pd.DataFrame:
    by_cell = runs.groupby("cell")
    averages = by_cell["value"].agg(["mean", "std", "count"]).set_axis(["mean", "sd", "n"], axis=1)
    # a mean over some of the seeds would select by luck, so it is missing unless every run has its score
    scores = by_cell["score"].agg(["mean", "count", "size"])
    averages["selected_by"] = scores["mean"].where(scores["count"] == scores["size"])
    valued = runs[runs["value"].notna()].sort_values("seed")
    averages["seeds"] = valued.groupby("cell")["seed"].agg(lambda seeds: ", ".join(map(str, seeds))).astype("string")
    averages["seeds"] = averages["seeds"].fillna("")
    return averages


def _counts(runs: pd.DataFrame) -> pd.DataFrame:
    status = runs["status"].fillna("unfinished")
    flags = pd.DataFrame(
        {
            "cell": runs["cell"],
            "n_failed": status == "failed",
            "n_stopped": status == "stopped",
            "n_unfinished": ~status.isin(["finished", "failed", "stopped"]),
        }
    )
    counts = flags.groupby("cell").sum().astype("Int64")
    counts["stopped_at"] = runs[status == "stopped"].groupby("cell")["epochs_run"].max()
    return counts


def _gains(runs: pd.DataFrame) -> pd.DataFrame:
    """gain, gain_sd, gain_n by cell: only of seeds that the cell and the baseline of its block both finished."""
    is_baseline = runs["is_baseline"]
    baseline = runs[is_baseline].groupby(["block", "seed"])["value"].mean().rename("baseline").reset_index()
    paired = runs[~is_baseline].merge(baseline, on=["block", "seed"])
    paired["gain"] = paired["value"] - paired["baseline"]
    return paired.groupby("cell")["gain"].agg(["mean", "std", "count"]).set_axis(["gain", "gain_sd", "gain_n"], axis=1)


def _best(table: pd.DataFrame) -> pd.Series:
    distilled = table[~table["is_baseline"]]
    recorded = distilled[["n", "n_failed", "n_stopped", "n_unfinished"]].sum(axis=1)
    groups = [distilled[name] for name in COMPARABLE]
    # the lower median: a cell that is ahead of the others by a seed must not be the only one left to compete
    usual = recorded.groupby(groups, dropna=False).transform(lambda n: n.quantile(0.5, interpolation="lower"))
    genuine = distilled["control"].fillna("none") == "none"
    competing = distilled[genuine & (recorded >= usual) & distilled["selected_by"].notna()]
    winners = competing.groupby([*COMPARABLE], dropna=False)["selected_by"].idxmax()
    return pd.Series(table.index.isin(winners), index=table.index)
