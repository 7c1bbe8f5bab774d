"""Whether a result.json is one of ours: a results folder may come from a stranger, or from a disk that lies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kd_trainable.records import EPOCH_COLUMNS, RUN_COLUMNS, SPEC_COLUMNS, Column
from kd_trainable.spec import FIELDS, RunSpec
from kd_trainable.vocabulary import InputError

NAME = re.compile(r"\w[\w.+-]*")  # of a run or a sweep: a folder is called so
KINDS: dict[str, Any] = {"string": str, "Float64": int | float, "Int64": int, "boolean": bool}
LARGEST = 1 << 63  # of a whole number in a table
OF_THE_SPEC = frozenset(column.name for column in SPEC_COLUMNS)


def is_name(text: Any) -> bool:
    """Whether a text can be the name of a run or a sweep, and so leads out of no folder."""
    return isinstance(text, str) and NAME.fullmatch(text) is not None


def sound(found: Any) -> bool:
    """Whether a result says how a run ended, in the types that tables have, and of a run that can be."""
    if not isinstance(found, dict) or not isinstance(found.get("status"), str):
        return False
    history = found.get("history", [])
    rows = [(row, EPOCH_COLUMNS) for row in history] if isinstance(history, list) else [(None, EPOCH_COLUMNS)]
    own = tuple(column for column in RUN_COLUMNS if column.name not in OF_THE_SPEC)
    return all(_typed(row, columns) for row, columns in [(found, own), *rows]) and _is_spec(found.get("spec", {}))


def _typed(row: Any, columns: tuple[Column, ...]) -> bool:
    return isinstance(row, Mapping) and all(_fits(row.get(column.name), column.dtype) for column in columns)


def _fits(value: Any, dtype: str) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) and dtype != "boolean":
        return False
    small = not isinstance(value, int) or abs(value) < LARGEST
    return small and isinstance(value, KINDS[dtype])


def _is_spec(spec: Any) -> bool:
    """Fields that this version does not know are a newer one's, whose results are no less true."""
    try:
        RunSpec(**{name: value for name, value in spec.items() if name in FIELDS})
    except (InputError, TypeError, ValueError, AttributeError, RecursionError):
        return False
    return True
