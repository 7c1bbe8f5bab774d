"""How far the usual ways to report flatter: the best epoch on the test set, and choosing the setting there."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.stats.cells import COMPARABLE, KEY, cells, is_control

LAST, BEST, CHOOSES = "test_accuracy_last", "test_accuracy_best", "validation_accuracy_last"
# by rule: what chooses the setting, and what is then claimed of it
RULES = {
    "validation, last epoch": (CHOOSES, LAST),
    "test, last epoch": (LAST, LAST),
    "test, best epoch": (BEST, BEST),
}


def best_epoch_inflation(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a cell, in the order of ``cells``: what reporting the best epoch by test adds to the last one.

    Columns of ``KEY``, is_baseline, and inflation, inflation_sd, inflation_n: mean, sd (by n - 1, missing for n = 1)
    and number over the finished runs of test_accuracy_best less test_accuracy_last, fractions of 1. Never negative, so
    it is a bias, and no noise: the more epochs and the noisier they are, the larger.
    """
    inflated = runs.assign(inflation=runs[BEST].astype("Float64") - runs[LAST].astype("Float64"))
    table = cells(inflated, "inflation")
    renamed = table.rename(columns={"mean": "inflation", "sd": "inflation_sd", "n": "inflation_n"})
    return renamed[[*KEY, "is_baseline", "inflation", "inflation_sd", "inflation_n"]]


def selection(runs: pd.DataFrame) -> pd.DataFrame:
    """What each rule of choosing a setting claims, and what that setting does on a seed that did not choose it.

    A row for each data set, student, budget and protocol, and rule of ``RULES``; among the distilled cells that have
    finished every seed, controls left out; accuracies are fractions of 1.

    claimed: what the rule reports of the setting that it chooses, mean over the seeds
    honest: the rule chooses on all seeds but one, and the test accuracy after the last epoch is read on that one; mean
    flattery: claimed - honest. cells, seeds: among how many. No rows with fewer than two cells or seeds.
    """
    by = {metric: cells(runs, metric) for metric in (LAST, BEST, CHOOSES)}
    table = by[LAST]
    tried = table[~table["is_baseline"] & ~is_control(table)]
    found = []
    for key, group in tried.groupby([*COMPARABLE], dropna=False, sort=True):
        where = dict(zip(COMPARABLE, key, strict=True))
        found += [where | row for row in _rules({metric: by[metric].loc[group.index] for metric in by})]
    columns = [*COMPARABLE, "rule", "claimed", "honest", "flattery", "cells", "seeds"]
    return pd.DataFrame(found, columns=columns)


def _rules(by: dict[str, pd.DataFrame]) -> list[dict[str, object]]:
    seeds = sorted({seed for by_seed in by[LAST]["by_seed"] for seed in by_seed})
    whole = by[LAST]["by_seed"].map(len) == len(seeds)
    grids = {
        metric: np.array([[by_seed.get(s, np.nan) for s in seeds] for by_seed in by[metric].loc[whole, "by_seed"]])
        for metric in by
    }
    if sum(whole) < 2 or len(seeds) < 2:
        return []
    known = {rule: pair for rule, pair in RULES.items() if not any(np.isnan(grids[metric]).any() for metric in pair)}
    return [
        {"rule": rule, **_rule(grids[chooses], grids[claims], grids[LAST]), "cells": sum(whole), "seeds": len(seeds)}
        for rule, (chooses, claims) in known.items()
    ]


def _rule(chooses: np.ndarray, claims: np.ndarray, honest: np.ndarray) -> dict[str, float]:
    """Arrays [cells, seeds]."""
    claimed = float(claims[chooses.mean(axis=1).argmax()].mean())
    seeds = range(chooses.shape[1])
    others = [np.delete(chooses, seed, axis=1).mean(axis=1).argmax() for seed in seeds]
    true = float(np.mean([honest[cell, seed] for cell, seed in zip(others, seeds, strict=True)]))
    return {"claimed": claimed, "honest": true, "flattery": claimed - true}
