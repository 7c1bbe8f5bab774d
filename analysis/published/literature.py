"""The published numbers, one CSV a source in ``published/``, and which of our cells each of them is to be held against.

A column named as one of ours is matched, or compared, with our runs: see ``matched``. What a row leaves blank its
source does not say, and anything of ours fits.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from kd_trainable.records import SPEC_COLUMNS

FOLDER = Path(__file__).parent
DTYPES = {column.name: column.dtype for column in SPEC_COLUMNS}
# What says which experiment it is; and how it was trained, in which ours may differ and then says so.
IDENTITY = (
    "dataset", "teacher", "student", "method", "mode", "temperature", "alpha", "convention", "seed",
)  # fmt: skip
TRAINING = ("epochs", "protocol", "optimizer", "lr", "weight_decay", "batch_size", "precision")
POSITIVE = ">0"  # the source says that a trick was used, and not how strongly


def names() -> list[str]:
    """The stems of the published tables: those of the sweeps that repeat them, where there is one."""
    return sorted(path.stem for path in FOLDER.glob("*.csv"))


def published(name: str) -> pd.DataFrame:
    """A table as text, missing where blank; ``value`` and ``teacher_accuracy`` are fractions of 1."""
    table = pd.read_csv(FOLDER / f"{name}.csv", dtype="string", keep_default_na=False, na_values=[""])
    return table.astype({"value": "Float64", "teacher_accuracy": "Float64"})


def matched(table: pd.DataFrame) -> list[str]:
    """The columns that a cell of ours must share: ``IDENTITY``, and tricks, which differ from row to row."""
    return [name for name in DTYPES if name in table and (name in IDENTITY or _is_trick(table, name))]


def training(table: pd.DataFrame) -> list[str]:
    """The columns in which ours may differ from theirs."""
    return [name for name in DTYPES if name in table and name not in matched(table)]


def fits(values: pd.Series, text: str) -> pd.Series:
    """Which of our values of a column are what a published row says of it."""
    if text == POSITIVE:
        return (values > 0).fillna(False)
    if str(values.dtype) == "string":
        return (values == text).fillna(False)
    number = {"true": 1.0, "false": 0.0}.get(text)
    return (values.astype("Float64") == (float(text) if number is None else number)).fillna(False)


def _is_trick(table: pd.DataFrame, name: str) -> bool:
    return name not in TRAINING and table[name].nunique() > 1
