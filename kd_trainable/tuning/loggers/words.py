"""How runs are called in a logger: a short label, their parameters, and epochs as numbers under grouped tags."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from kd_trainable.records import EPOCH_COLUMNS
from kd_trainable.tuning.results import spec_columns

LETTERS = {"temperature": "T", "alpha": "a", "seed": "seed"}  # before the values in a label
PACE = ("epoch_seconds", "images_per_second")


def label(spec: Mapping[str, Any]) -> str:
    """A run in a few words that can name a folder: ``kd-conv5x5-kl-T4-a0.9-seed0``."""
    row = spec_columns(spec)
    parts = [str(row[name]) for name in ("method", "student", "mode") if row[name] is not None]
    parts += [f"{LETTERS[name]}{row[name]:g}" for name in LETTERS if row[name] is not None]
    return re.sub(r"[^\w.+-]+", "_", "-".join(parts))


def parameters(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that can matter to the run, as texts, numbers and booleans; a hyperparameter as METHOD.NAME."""
    row = spec_columns(spec)
    own = json.loads(row.pop("hyperparameters") or "{}")
    return {name: value for name, value in {**row, **own}.items() if value is not None}


def scalars(row: Mapping[str, Any]) -> dict[str, float]:
    """An epoch's numbers by tag: ``accuracy/test``, ``loss/soft``, ``lr``; what the epoch does not have is left out."""
    numbers = {c.name: row.get(c.name) for c in EPOCH_COLUMNS if c.name not in ("spec_id", "epoch")}
    return {tag(name): float(value) for name, value in numbers.items() if value is not None and math.isfinite(value)}


def tag(column: str) -> str:
    """What a column of epochs.parquet is called: grouped by what its name ends in."""
    what, _, group = column.rpartition("_")
    if group in ("accuracy", "loss"):
        return f"{group}/{what}"
    return f"pace/{column}" if column in PACE else column
