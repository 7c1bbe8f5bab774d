"""The numbers of a table, long and tidy: what the CSV and Parquet files hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from analysis.stats.cells import KEY

METRIC = "test_accuracy_last"
COUNTS = ("n", "n_failed", "n_stopped", "n_unfinished")
NUMBERS = ("mean", "sd", *COUNTS, "half_width", "selected_by", "gain", "gain_sd", "gain_n", "is_baseline", "best")


def tidy(table: pd.DataFrame, numbers: Iterable[str] = NUMBERS) -> pd.DataFrame:
    """A row a cell: its whole spec but the seed, the metric's name, then ``numbers``; the same columns for any sweep.

    Named and measured as in ``stats.cells``: fractions of 1; missing is missing, never 0.
    """
    named = table[[*KEY]].assign(metric=pd.array([METRIC] * len(table), dtype="string"))
    return named.join(table[[*numbers]]).reset_index(drop=True)


def frame(cells: Iterable[Any], like: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``like.itertuples(index=False)`` as a frame again."""
    return pd.DataFrame(list(cells), columns=like.columns).astype(like.dtypes.to_dict())
