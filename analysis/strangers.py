"""What a results folder from a stranger may say: names that are names, numbers that end, texts that a page can show.

Tables, Markdown, CSV and pictures are made of these words, so what is no word of ours is refused where it is read.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pandas as pd

from kd_trainable.records import SPEC_COLUMNS
from kd_trainable.vocabulary import InputError, printable

NAME = re.compile(r"\w[\w.:+ /()-]*")  # of a network, a method, a normalization, one's own package.module:callable
FREE = ("error", "device")  # columns of a person's own words, which every writer escapes
AS_JSON = ("hyperparameters", "taps", "milestones", "temperature_schedule", "alpha_schedule")
DEEPEST, LONGEST, LARGEST = 12, 100_000, 1e300  # of JSON: nesting, letters of a text, numbers
FORMULA = re.compile(r"[=+\-@\t\r]")  # what a spreadsheet takes for one at the beginning of a cell
NUMBERS = {column.name for column in SPEC_COLUMNS if column.dtype == "Float64"}


def require_plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with free texts on one line. Raises InputError, naming column and value, for what no sweep writes."""
    for name in map(str, frame.select_dtypes("string").columns):
        if name in FREE:
            frame[name] = frame[name].map(_one_line, na_action="ignore").astype("string")
        else:
            _require_words(name, frame[name])
    for name in NUMBERS & {*frame}:
        if (frame[name].abs() == math.inf).any():
            raise InputError(f"column {name} holds an infinite number: no sweep's")
    return frame


def _require_words(name: str, column: pd.Series) -> None:
    holds = _is_json if name in AS_JSON else _is_name
    for value in column.dropna().unique():
        if not holds(value):
            raise InputError(f"column {name} holds {_short(value)}: it must be {_wanted(name)}")


def plain(value: Any, depth: int = 0) -> Any:
    """A value of JSON with texts that can be shown. Raises InputError for one that nests or counts without end."""
    if depth > DEEPEST:
        raise InputError(f"it nests deeper than {DEEPEST} levels")
    if isinstance(value, dict):
        return {_one_line(str(name)): plain(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner, depth + 1) for inner in value]
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) > LARGEST:
        raise InputError("it holds a number of more than 300 digits")
    return printable(value)[:LONGEST] if isinstance(value, str) else value


def for_spreadsheet(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with an apostrophe before texts that a spreadsheet would take for formulas; numbers stay numbers."""
    texts = frame.select_dtypes(["string", "object"]).columns
    return frame.assign(**{name: frame[name].map(_no_formula, na_action="ignore") for name in texts})


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


def _is_name(value: str) -> bool:
    return NAME.fullmatch(value) is not None


def _is_json(text: str) -> bool:
    """A list, or an object of names, of numbers and names."""
    try:
        found = json.loads(text)
        return isinstance(found, dict | list) and _holds(found, 0)
    except (ValueError, OverflowError, RecursionError):
        return False


def _holds(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        return depth == 0 and all(_is_name(key) and _is_number(inner) for key, inner in value.items())
    if isinstance(value, list):
        return depth < 2 and all(_holds(inner, depth + 1) for inner in value)
    return _is_number(value) or (isinstance(value, str) and re.fullmatch(r"[\w.=:/+-]*", value) is not None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(float(value))


def _wanted(name: str) -> str:
    return "JSON of names and numbers" if name in AS_JSON else "a name"


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))[:LONGEST]


def _short(value: str) -> str:
    return repr(printable(value))[:60]
