"""Small hand-made tables of runs: a test gives what matters to it, the rest is filled in."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.frames import typed
from kd_trainable.records import EPOCH_COLUMNS, RUN_COLUMNS

USUAL: dict[str, Any] = {
    "status": "finished",
    "attempts": 1,
    "dataset": "cifar10",
    "teacher": "resnet18",
    "student": "resnet8",
    "method": "kd",
    "hyperparameters": "{}",
    "mode": "kl",
    "temperature": 4.0,
    "alpha": 0.5,
    "convention": "hinton",
    "control": "none",
    "optimizer": "sgd",
    "lr": 0.1,
    "momentum": 0.9,
    "nesterov": False,
    "weight_decay": 5e-4,
    "schedule": "cosine",
    "warmup_epochs": 0,
    "fresh_optimizer": False,
    "epochs": 30,
    "batch_size": 128,
    "augment": "crop4+flip",
    "normalization": "cifar10",
    "label_smoothing": 0.0,
    "patience": 0,
    "protocol": "holdout",
    "precision": "float32",
    "seed": 0,
    "epochs_run": 30,
    "teacher_saw_validation": "no",
}
BASELINE: dict[str, Any] = {"method": "none", "teacher": None, "mode": None, "temperature": None, "alpha": None}


def run(test: float | None = None, validation: float | None = None, **fields: Any) -> dict[str, Any]:
    """A run with its accuracies after the last epoch (fractions of 1) and whatever else matters."""
    return {"test_accuracy_last": test, "validation_accuracy_last": validation, **fields}


def baseline(test: float | None = None, validation: float | None = None, **fields: Any) -> dict[str, Any]:
    """An undistilled run."""
    return run(test, validation, **{**BASELINE, **fields})


def runs_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """A frame with every column of ``RUN_COLUMNS``, of its type; each row gets its own spec_id."""
    filled = [{"spec_id": f"run{index}", **USUAL, **row} for index, row in enumerate(rows)]
    return typed(pd.DataFrame(filled, columns=[column.name for column in RUN_COLUMNS]), RUN_COLUMNS)


def epochs_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """A frame with every column of ``EPOCH_COLUMNS``, of its type."""
    return typed(pd.DataFrame(rows, columns=[column.name for column in EPOCH_COLUMNS]), EPOCH_COLUMNS)


def cell(table: pd.DataFrame, **fields: Any) -> Any:
    """The one row of ``table`` whose columns have these values."""
    for name, value in fields.items():
        table = table[table[name].isna() if value is None else (table[name] == value).fillna(False)]
    assert len(table) == 1, f"{len(table)} rows match {fields}"
    return table.iloc[0]
