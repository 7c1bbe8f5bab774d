"""Which student to take for a budget of size, latency or accuracy. DataFrame -> DataFrame, no I/O."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from analysis.stats.cells import EXACT
from analysis.stats.front import SETTING, contenders, on_front, students

MILLISECONDS = 1000.0


class Budget(NamedTuple):
    """What a student may cost and must reach; None is no limit. ``min_accuracy`` is in per cent of test accuracy."""

    max_parameters: int | None = None
    max_latency_ms: float | None = None
    min_accuracy: float | None = None


def judged(runs: pd.DataFrame, budget: Budget) -> pd.DataFrame:
    """``contenders(students(runs))``, by data set, protocol and size, with these columns of truth values:

    by_size, by_latency: on the front of mean test accuracy against parameters, or against the latency on its device
    fits: within all limits; what is not known of a student does not fit a limit
    chosen: of those that fit the most accurate, then the smallest; under ``min_accuracy`` the smallest, then the most
      accurate. One for each data set and protocol; where the latency is limited one for each device besides
    """
    table = contenders(students(runs))
    table = table.sort_values([*SETTING, "parameters", "mean"], kind="stable", ignore_index=True)
    table["by_size"] = _within(table, [*SETTING], "parameters")
    table["by_latency"] = _within(table, [*SETTING, "device"], "latency_seconds")
    table["fits"] = _fits(table, budget)
    by = [*SETTING] if budget.max_latency_ms is None else [*SETTING, "device"]
    cheapest = budget.min_accuracy is not None
    order = table[table["fits"]].sort_values(
        ["parameters", "mean"] if cheapest else ["mean", "parameters"],
        ascending=[cheapest, not cheapest],
        kind="stable",
    )
    table["chosen"] = table.index.isin(order.drop_duplicates(by).index)
    return table


def _within(table: pd.DataFrame, by: list[str], cost: str) -> pd.Series:
    found = [on_front(group, cost) for _, group in table.groupby(by, dropna=False)]
    return pd.concat(found).reindex(table.index) if found else pd.Series(dtype=bool)


def _fits(table: pd.DataFrame, budget: Budget) -> pd.Series:
    found = pd.Series(True, table.index)
    if budget.max_parameters is not None:
        found &= _is(table["parameters"] <= budget.max_parameters)
    if budget.max_latency_ms is not None:
        found &= _is(MILLISECONDS * table["latency_seconds"] <= budget.max_latency_ms)
    if budget.min_accuracy is not None:
        found &= _is((100 * table["mean"]).round(EXACT - 2) >= budget.min_accuracy)
    return found


def _is(truth: pd.Series) -> pd.Series:
    return truth.fillna(False).astype(bool)
