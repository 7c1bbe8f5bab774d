"""A table as it was read -> the very columns of ``kd_trainable.records``, or one line that says why not. No I/O."""

from __future__ import annotations

import pandas as pd

from analysis.strangers import require_plain
from kd_trainable.records import Column
from kd_trainable.vocabulary import InputError

NAMED = 4  # columns that a message names
ROUNDING = 1e-6  # a mean of float32 may lie so far above 1
NEVER_MISSING = ("spec_id", "seed")
FRACTIONS = ("accuracy", "agreement")  # in the names of columns that are shares


def checked(frame: pd.DataFrame, columns: tuple[Column, ...]) -> pd.DataFrame:
    """``typed``, of a table that a sweep wrote: all the columns and no other, and every run has a name and a seed.

    A column that this version does not know may tell runs apart that it would take for one cell. Raises InputError.
    """
    unknown = sorted(map(str, set(frame) - {column.name for column in columns}))
    if unknown:
        raise InputError(_another_version(_missing(frame, columns), unknown))
    found = typed(frame, columns)
    for name in (name for name in NEVER_MISSING if name in found):
        if nameless := int(found[name].isna().sum()):
            raise InputError(f"column {name} is missing in {nameless} of {len(found)} rows: no table of a sweep's")
    for column in columns:
        if any(word in column.name for word in FRACTIONS):
            _require_fraction(found[column.name])
    return require_plain(found)


def typed(frame: pd.DataFrame, columns: tuple[Column, ...]) -> pd.DataFrame:
    """``frame`` with exactly ``columns``, in their order, as pandas' nullable types; NaN becomes NA.

    Raises InputError, naming them, where columns are missing or hold what their type cannot.
    """
    missing = _missing(frame, columns)
    if missing:
        raise InputError(_another_version(missing, []))
    return pd.DataFrame({column.name: _cast(frame[column.name], column) for column in columns})


def _missing(frame: pd.DataFrame, columns: tuple[Column, ...]) -> list[str]:
    return [column.name for column in columns if column.name not in frame]


def _another_version(missing: list[str], unknown: list[str]) -> str:
    words = [
        f"{what} columns: {', '.join(names[:NAMED])}{f' and {len(names) - NAMED} more' if len(names) > NAMED else ''}"
        for what, names in (("missing", missing), ("unknown", unknown))
        if names
    ]
    return f"{'; '.join(words)}: another version's; the sweep's own command makes its tables anew"


def _cast(series: pd.Series, column: Column) -> pd.Series:
    try:
        if column.dtype == "Float64":  # by way of float64: a nullable column may hide NaN among its values
            series = series.astype("float64")
        return series.astype(pd.api.types.pandas_dtype(column.dtype))
    except (ValueError, TypeError, OverflowError) as error:
        line = " ".join(str(error).split())[:200]
        raise InputError(f"column {column.name} is not {column.dtype}: {line}") from error


def _require_fraction(values: pd.Series) -> None:
    beyond = values[~values.between(0, 1 + ROUNDING).fillna(True)]
    if len(beyond):
        raise InputError(f"column {values.name} holds {beyond.iloc[0]:g}: it must be a fraction, from 0 to 1")
