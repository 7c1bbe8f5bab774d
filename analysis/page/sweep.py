"""One sweep as the page sees it: runs, each beside its cell, cells with their names, and what sweep.json says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import pandas as pd

from analysis import frames
from analysis.page.names import kinds
from analysis.places import name_of
from analysis.plots.names import names
from analysis.stats.cells import BLOCK, is_control, placed
from analysis.stats.differences import differences
from analysis.stats.variance import variance_shares_of
from kd_trainable.records import EPOCH_COLUMNS, RUN_COLUMNS
from kd_trainable.vocabulary import InputError

T = TypeVar("T")
METRIC = "test_accuracy_last"


class Sweep(NamedTuple):
    """``runs``: each once, with ``place``, the position of its cell in ``table``, and ``gain`` over its baseline's run
    of the same seed. ``table``: ``stats.differences`` with columns name, kind and place.

    ``shares``: ``stats.variance_shares``; ``trouble``: what could not be read.
    """

    name: str
    about: dict[str, Any]
    runs: pd.DataFrame
    epochs: pd.DataFrame
    table: pd.DataFrame
    shares: pd.DataFrame
    trouble: list[str]

    @property
    def finished(self) -> pd.DataFrame:
        """The runs that have a result."""
        return self.runs[(self.runs["status"] == "finished").fillna(False) & self.runs[METRIC].notna()]

    @property
    def tried(self) -> pd.DataFrame:
        """The cells but for negative controls, which are shown apart."""
        return self.table[~is_control(self.table)]

    @property
    def shown(self) -> pd.DataFrame:
        """The cells that have a result, the best by what selects first, baselines before them."""
        finished = self.table[self.table["n"] > 0]
        return finished.sort_values(["is_baseline", "selected_by"], ascending=False, kind="stable")


def read(folder: str) -> Sweep:
    """A sweep's folder. Raises InputError where its runs cannot be read; of what else cannot, ``trouble`` tells."""
    runs = frames.runs(folder)[[column.name for column in RUN_COLUMNS]]
    trouble: list[str] = []
    epochs = _or(lambda: frames.epochs(folder), frames.typed(_nothing(), EPOCH_COLUMNS), trouble)
    nothing: dict[str, Any] = {}
    about = _or(lambda: frames.about(folder), nothing, trouble)
    return of(name_of(folder), about, runs, epochs, trouble)


def _or(read: Callable[[], T], otherwise: T, trouble: list[str]) -> T:
    try:
        return read()
    except InputError as error:
        trouble.append(f"Left out: {error}")
        return otherwise


def of(name: str, about: dict[str, Any], runs: pd.DataFrame, epochs: pd.DataFrame, trouble: list[str]) -> Sweep:
    """A sweep from its tables."""
    table = differences(runs)
    table = table.assign(name=names(table), kind=kinds(table), place=table.index)
    return Sweep(name, about, beside(runs, table), epochs, table, variance_shares_of(table), trouble)


def rows_of(table: pd.DataFrame) -> list[Any]:
    """The rows, with their columns as attributes."""
    return list(table.itertuples(index=False))


def beside(runs: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The runs with place and gain (missing without a finished baseline of that seed)."""
    runs = runs.assign(place=placed(runs)["cell"])
    return runs.assign(gain=_gains(runs, table))


def _gains(runs: pd.DataFrame, table: pd.DataFrame) -> pd.Series:
    baselines = _baselines(table)
    value = runs[METRIC].where((runs["status"] == "finished").fillna(False))
    references = [
        baselines.get(place, {}).get(int(seed)) if pd.notna(seed) else None
        for place, seed in zip(runs["place"], runs["seed"], strict=True)
    ]
    return value - pd.Series(references, runs.index, dtype="Float64")


def _baselines(table: pd.DataFrame) -> dict[Any, dict[int, float]]:
    """place of a distilled cell -> accuracies of its block's baseline by seed."""
    block = table.groupby([*BLOCK], dropna=False).ngroup()
    rows = table[table["is_baseline"]]
    by_block = dict(zip(block[rows.index], rows["by_seed"], strict=True))
    return {place: by_block[b] for place, b in block.items() if b in by_block and not table.at[place, "is_baseline"]}


def _nothing() -> pd.DataFrame:
    return pd.DataFrame(columns=[column.name for column in EPOCH_COLUMNS])
