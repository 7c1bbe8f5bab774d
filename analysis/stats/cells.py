"""Runs -> cells: what each combination gave over its seeds, and what it gained. DataFrame -> DataFrame, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from analysis.stats.weights import effective
from kd_trainable.records import SPEC_COLUMNS

# A cell is everything of the spec but the seed. Its block is all of that which has nothing to do with the
# teacher: a cell and the baseline of its block trained alike, and under one seed saw the same pixels.
KEY = tuple(column.name for column in SPEC_COLUMNS if column.name != "seed")
DISTILLATION = (
    "teacher",
    "method",
    "hyperparameters",
    "taps",
    "peer",
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
UNFINISHED = ("n_failed", "n_stopped", "n_unfinished")  # counts of runs that gave no result
EXACT = 9  # decimals: means of the same accuracies differ beyond them by the order in which they were summed


class Gain(NamedTuple):
    """Mean, sd (by n - 1, missing for n = 1) and number of differences, paired by seed."""

    gain: float
    gain_sd: float
    gain_n: int


def cells(runs: pd.DataFrame, metric: str = "test_accuracy_last") -> pd.DataFrame:
    """One row a cell, sorted by its spec: the columns of ``KEY`` and these (accuracies are fractions of 1).

    mean, sd, n: of ``metric`` over the finished runs (sd by n - 1, missing for n = 1); one stopped early by its
      own patience is finished; failed, lost, unfinished runs and those a scheduler stopped are never averaged
    half_width: half of the 95 % interval of the mean, by Student's t over those n runs; missing for n = 1
    seeds: the seeds of those n runs, as text; by_seed: seed -> ``metric`` of each
    n_failed, n_stopped, n_unfinished (lost ones too), stopped_at: counts, and the furthest epoch of a stopped run
    selected_by: mean of what selects, validation_accuracy_last; under protocol published test_accuracy_last,
      which is biased
    gain, gain_sd, gain_n: mean, sd and number of the differences to the baseline of the block, paired by seed
    lead: selected_by less that of the baseline of the block
    is_baseline: not distilled; the fields of distillation are then missing
    best: highest selected_by of the distilled cells of one data set, student, budget and protocol. Negative
      controls do not compete, nor cells with a run that is not finished, nor those with fewer runs than is usual
    tied: how many competitors have exactly the best's selected_by, less itself; the first by the spec is the best
    competes: whether a cell does so
    none_leads: no cell comparable with this one leads its baseline, all having one; controls aside
    """
    runs = _labelled(runs, metric)
    by_cell = runs.groupby("cell")
    table = by_cell.head(1).set_index("cell")[[*KEY, "is_baseline"]]
    table = table.join([_averages(runs), _counts(runs), _gains(runs)])
    table["lead"] = _leads(runs, table["selected_by"])
    table[["gain_n", "stopped_at"]] = table[["gain_n", "stopped_at"]].astype("Int64")
    table["gain_n"] = table["gain_n"].fillna(0)
    table = table.sort_values([*KEY], ignore_index=True)
    return table.join(_best(table)).join(_none_leads(table))


def placed(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs, each once, with ``cell``: the position of theirs in ``cells(runs)``."""
    runs = _labelled(runs, "test_accuracy_last")
    keys = runs.groupby("cell").head(1).sort_values([*KEY])["cell"]
    return runs.assign(cell=runs["cell"].map(pd.Series(range(len(keys)), keys)))


def paired(cell: Mapping[int, float], reference: Mapping[int, float]) -> Gain | None:
    """What a cell gained over another one, both as ``by_seed``; None where they share no seed."""
    gains = [value - reference[seed] for seed, value in cell.items() if seed in reference]
    if not gains:
        return None
    return Gain(float(np.mean(gains)), float(np.std(gains, ddof=1)) if len(gains) > 1 else np.nan, len(gains))


def half_width(sd: float, n: int) -> float:
    """Half of the 95 % interval of a mean, by Student's t: t(0.975, n - 1) sd / sqrt(n). NaN for n < 2."""
    return float(stdtrit(n - 1, 0.975) * sd / n**0.5) if n > 1 else np.nan


def half_widths(sd: pd.Series, n: pd.Series) -> pd.Series:
    """``half_width`` of many at once; missing for n < 2."""
    repeated = n > 1
    n = n.where(repeated, 2).astype("float64")
    return pd.Series(stdtrit(n - 1, 0.975) / n**0.5, sd.index).mul(sd).where(repeated).astype("Float64")


def is_control(table: pd.DataFrame) -> pd.Series:
    """Which runs, or cells, are negative controls."""
    return (table["control"].fillna("none") != "none").astype(bool)


def is_whole(table: pd.DataFrame) -> pd.Series:
    """Of which cells every run has finished: the survivors of failures are no sample."""
    return table[[*UNFINISHED]].sum(axis=1) == 0


def far_off(means: pd.Series) -> pd.Series:
    """Which cells have diverged: means ten times as far below the median as is usual, and 5 points or more."""
    below = means.median() - means
    return below > 10 * max(0.005, below.abs().median())


def _labelled(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The runs, each once, with columns cell, block, is_baseline, value (missing unless finished) and score."""
    runs = runs.drop_duplicates("spec_id").copy()
    runs["hyperparameters"] = effective(runs)
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
    averages["half_width"] = half_widths(averages["sd"], averages["n"])
    # a mean over some of the seeds would select by luck, so it is missing unless every run has its score
    scores = by_cell["score"].agg(["mean", "count", "size"])
    averages["selected_by"] = scores["mean"].where(scores["count"] == scores["size"])
    valued = runs.loc[runs["value"].notna() & runs["seed"].notna(), ["cell", "seed", "value"]]
    averages["seeds"] = _seeds(valued).reindex(averages.index, fill_value="").astype("string")
    by_seed = _by_seed(valued)
    averages["by_seed"] = pd.Series({cell: by_seed.get(cell, {}) for cell in averages.index}, dtype=object)
    return averages


def _seeds(valued: pd.DataFrame) -> pd.Series:
    found: dict[int, list[int]] = {}
    for cell, seed in zip(valued["cell"], valued["seed"], strict=True):
        found.setdefault(cell, []).append(seed)
    return pd.Series({cell: ", ".join(map(str, sorted(seeds))) for cell, seeds in found.items()}, dtype="string")


def _by_seed(valued: pd.DataFrame) -> dict[int, dict[int, float]]:
    """cell -> seed -> value, a mean where several runs have one seed (of two teachers' weights)."""
    means = valued.groupby(["cell", "seed"], as_index=False)["value"].mean()
    found: dict[int, dict[int, float]] = {}
    for cell, seed, value in zip(means["cell"], means["seed"], means["value"], strict=True):
        found.setdefault(cell, {})[int(seed)] = float(value)
    return found


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
    runs = runs[["cell", "block", "seed", "value"]]
    baseline = runs[is_baseline].groupby(["block", "seed"])["value"].mean().rename("baseline").reset_index()
    paired = runs[~is_baseline].merge(baseline, on=["block", "seed"])
    paired["gain"] = paired["value"] - paired["baseline"]
    return paired.groupby("cell")["gain"].agg(["mean", "std", "count"]).set_axis(["gain", "gain_sd", "gain_n"], axis=1)


def _leads(runs: pd.DataFrame, selected_by: pd.Series) -> pd.Series:
    by_cell = runs.groupby("cell")
    block, is_baseline = by_cell["block"].first(), by_cell["is_baseline"].first()
    baselines = selected_by.reindex(block.index)[is_baseline].set_axis(block[is_baseline])
    return (selected_by - block.map(baselines)).round(EXACT).mask(is_baseline)


def _best(table: pd.DataFrame) -> pd.DataFrame:
    """best, tied and competes."""
    needed = [*COMPARABLE, "control", "selected_by", "n", *UNFINISHED]
    distilled = table.loc[~table["is_baseline"], needed]
    recorded = distilled[["n", *UNFINISHED]].sum(axis=1)
    groups = [distilled[name] for name in COMPARABLE]
    # the lower median: a cell that is ahead of the others by a seed must not be the only one left to compete
    usual = recorded.groupby(groups, dropna=False).transform(lambda n: n.quantile(0.5, interpolation="lower"))
    competing = distilled[_scored(distilled) & (recorded >= usual) & (distilled["n"] > 0)].copy()
    competing["score"] = competing["selected_by"].round(EXACT)
    scores = competing.groupby([*COMPARABLE], dropna=False)["score"]
    best = pd.Series(table.index.isin(scores.idxmax()), index=table.index)
    level = (competing["score"] == scores.transform("max")).astype("Int64")
    others = level.groupby([competing[name] for name in COMPARABLE], dropna=False).transform("sum") - 1
    competes = table.index.isin(competing.index)
    return pd.DataFrame({"best": best, "tied": others.reindex(table.index).where(best, 0), "competes": competes})


def _none_leads(table: pd.DataFrame) -> pd.Series:
    scored = table.loc[~table["is_baseline"] & _scored(table), [*COMPARABLE, "lead"]]
    leads = scored.groupby([*COMPARABLE], dropna=False)["lead"]
    compared = leads.transform("count") == leads.transform("size")
    none_leads = (compared & (leads.transform("max") <= 0)).astype("boolean").fillna(False)
    return none_leads.reindex(table.index, fill_value=False).astype(bool).rename("none_leads")


def _scored(table: pd.DataFrame) -> pd.Series:
    """Cells with a score to select by that are no negative controls."""
    return ~is_control(table) & table["selected_by"].notna()
