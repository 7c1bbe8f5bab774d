"""A cell's hyperparameters in words: each method's weight, and what else was swept or is not left at its default."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from kd_trainable.records import default_of, hyperparameters


def effective(runs: pd.DataFrame) -> pd.Series:
    """The column ``hyperparameters`` with the defaults, which tables of an earlier version leave out."""
    pairs = zip(runs["method"], runs["hyperparameters"], strict=True)
    found = [text if pd.isna(text) or pd.isna(name) else hyperparameters(name, given(text)) for name, text in pairs]
    return pd.Series(found, runs.index, dtype="string")


def given(text: Any) -> dict[str, float]:
    """The names and values of a cell of that column; none where it is missing, or no JSON of ours."""
    try:
        found = json.loads(text) if pd.notna(text) else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def swept(table: pd.DataFrame) -> set[str]:
    """The hyperparameters with two values or more among the methods that have them."""
    cells = [(method, given(text)) for method, text in zip(table["method"], table["hyperparameters"], strict=True)]

    def differs(name: str) -> bool:
        owners = {method for method, values in cells if name in values}
        return len({values.get(name) for method, values in cells if method in owners}) > 1

    return {name for name in {name for _, values in cells for name in values} if differs(name)}


def in_words(table: pd.DataFrame) -> list[str]:
    """For each cell 'weight 1000', 'weight 500 p 1' or, where methods are joined, 'at.weight 500'; '' for none."""
    shown = swept(table)
    pairs = zip(table["method"], table["hyperparameters"], strict=True)
    return ["" if pd.isna(text) else _line(str(method), text, shown) for method, text in pairs]


def changed(cell: Any) -> str:
    """'at.weight 500': those of a cell that are not at their defaults; '' for none."""
    values = given(cell.hyperparameters)
    return " ".join(f"{name} {value:g}" for name, value in values.items() if not _usual(name, value))


def _line(method: str, text: str, shown: set[str]) -> str:
    values = given(text)
    names = [name for name in values if _is_weight(name) or name in shown or not _usual(name, values[name])]
    names.sort(key=lambda name: not _is_weight(name))
    return " ".join(f"{name.removeprefix(f'{method}.')} {values[name]:g}" for name in names)


def _is_weight(name: str) -> bool:
    return name.endswith(".weight")


def _usual(name: str, value: float) -> bool:
    return "." in name and default_of(name) == value
