"""What a cell is called in a picture: by what was swept, and nothing else."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.stats.cells import BLOCK
from analysis.tables.grid import ABSENT, described, varying

BARE = (
    "dataset",
    "student",
    "teacher",
    "method",
    "mode",
    "hyperparameters",
    "taps",
    "augment",
)  # whose words speak for themselves
ORDER = {"method": -1, "control": 1}
NO_CONTROL = ("control", "none")
SIGNS = {"alpha": "α", "temperature": "T"}


def names(table: pd.DataFrame, but: tuple[str, ...] = ()) -> pd.Series:
    """'kl, α 0.5, T 4', 'baseline, lr 0.1': the words for the fields in which the cells of ``table`` differ.

    Those of ``but`` are left out, as what the heading of a panel says already.
    """
    fields = [name for name in varying(table) if name not in but]
    pairs = zip(table.itertuples(index=False), described(table, fields), strict=True)
    return pd.Series([_name(cell, fields, words) for cell, words in pairs], table.index, dtype=object)


def said(field: str, word: str) -> str:
    """'T 4', 'lr 0.1', 'kl', 'control: shuffled-teacher': a field and its value."""
    if field == "control":
        return f"control: {word}"
    return word if field in BARE else f"{SIGNS.get(field, field)} {word}"


def phrase(fields: list[str], words: list[str]) -> str:
    """The fields that a cell has, in a line: the method first, a control last."""
    pairs = zip(fields, words, strict=True)
    known = [(name, word) for name, word in pairs if word not in (ABSENT, "default") and (name, word) != NO_CONTROL]
    known.sort(key=lambda pair: ORDER.get(pair[0], 0))
    return ", ".join(said(name, word) for name, word in known)


def _name(cell: Any, fields: list[str], words: list[str]) -> str:
    pairs = [(name, word) for name, word in zip(fields, words, strict=True) if name in BLOCK or not cell.is_baseline]
    text = phrase([name for name, _ in pairs], [word for _, word in pairs])
    if cell.is_baseline:
        return f"baseline, {text}" if text else "baseline"
    return text or str(cell.method)
