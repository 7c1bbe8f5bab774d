"""result.json of a run, and the two tables that are made from many: columns as records.py declares them."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from kd_trainable.records import EPOCH_COLUMNS, RUN_COLUMNS, SPEC_COLUMNS, Column, hyperparameters
from kd_trainable.spec import DEFAULTS, RunSpec, irrelevant
from kd_trainable.tuning.run_folder import RunFolder
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError

RESULT_FORMAT = 1


class Ending(NamedTuple):
    """How a run ended. ``kind`` of a failure: 'numbers' would fail so again, 'exception' may not."""

    status: str
    error: str = ""
    kind: str = ""


def result(
    spec_id: str,
    spec: RunSpec,
    ending: Ending,
    history: list[dict[str, Any]],
    circumstances: Mapping[str, Any],
) -> dict[str, Any]:
    """What result.json holds: the run's row, its spec and its epochs."""
    hard_weight, soft_weight = spec.weights(max(0, len(history) - 1))
    return {
        "result_format": RESULT_FORMAT,
        "spec_id": spec_id,
        "status": ending.status,
        "error": ending.error,
        "error_kind": ending.kind,
        "spec": spec.flat(),
        "hard_weight": hard_weight,
        "soft_weight": soft_weight,
        **summary(history),
        **circumstances,
        "history": history,
    }


def summary(history: list[dict[str, Any]]) -> dict[str, Any]:
    """Last, best-by-validation and best-by-test accuracy, and the median pace."""
    if not history:
        return {"epochs_run": 0}
    validation = [row["validation_accuracy"] for row in history]
    test = [row["test_accuracy"] for row in history]
    paces = sorted(row["images_per_second"] for row in history)
    held_out = not math.isnan(validation[-1])
    at = max(range(len(history)), key=lambda i: validation[i]) if held_out else None
    return {
        "epochs_run": len(history),
        "validation_accuracy_last": validation[-1],
        "validation_accuracy_best": max(validation) if held_out else math.nan,
        "test_accuracy_last": test[-1],
        "test_accuracy_best": max(test),
        "test_accuracy_at_best_validation": test[at] if at is not None else math.nan,
        "teacher_agreement": history[-1].get("teacher_agreement"),
        "images_per_second": paces[len(paces) // 2],
    }


def run_row(found: Mapping[str, Any]) -> dict[str, Any]:
    """One row of runs.parquet from a result (or from what is known of an unfinished run)."""
    if "spec" not in found:
        raise InputError(f"run: {found.get('spec_id')}: its result.json has no spec: damaged")
    row = {c.name: found.get(c.name) for c in RUN_COLUMNS}
    return row | spec_columns(found["spec"])


def spec_columns(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The spec's columns: no value where a field does not apply, JSON where a cell must hold a list.

    A result of an earlier version lacks the fields that came later, which had no effect then: their defaults.
    """
    flat = {**DEFAULTS, **flat}
    row: dict[str, Any] = {c.name: flat.get(c.name) for c in SPEC_COLUMNS}
    for name in ("temperature", "alpha"):
        if isinstance(row[name], list | tuple):
            row[f"{name}_schedule"], row[name] = json.dumps(row[name]), None
    for name in ("milestones", "taps"):
        row[name] = json.dumps(row[name])
    row["hyperparameters"] = hyperparameters(flat["method"], flat["hyperparameters"])
    missing = irrelevant(flat)
    schedules = {f"{name}_schedule" for name in missing & {"temperature", "alpha"}}
    return row | dict.fromkeys(missing | schedules)


def runs_frame(found: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """runs.parquet: one row a run."""
    return _frame([run_row(f) for f in found], RUN_COLUMNS)


def epochs_frame(found: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """epochs.parquet: one row a run and epoch."""
    rows = [{"spec_id": f["spec_id"], **row} for f in found for row in f.get("history", [])]
    return _frame(rows, EPOCH_COLUMNS)


def _frame(rows: list[dict[str, Any]], columns: tuple[Column, ...]) -> pd.DataFrame:
    return pd.DataFrame({c.name: _array([_missing(row.get(c.name)) for row in rows], c.dtype) for c in columns})


def _array(values: list[Any], dtype: Any) -> Any:
    return pd.array(values, dtype=dtype)


def _missing(value: Any) -> Any:
    return None if value == "" or (isinstance(value, float) and math.isnan(value)) else value


def write_tables(
    name: str, storage: Storage, runs: Mapping[str, RunSpec], found: Mapping[str, Mapping[str, Any]], teacher: str = ""
) -> pd.DataFrame:
    """Makes runs.parquet and epochs.parquet of the sweep from its runs, those without a result included.

    ``teacher``: the identity of the sweep's teacher; '' where it has none.
    """
    attempts = {n: RunFolder(storage, n).attempts() for n in runs if n not in found}
    rows = [beside(teacher, found[n]) if n in found else unfinished(n, spec, attempts[n]) for n, spec in runs.items()]
    frame = runs_frame(rows)
    storage.write_json(f"sweeps/{name}/ids.json", list(runs))
    for file, table in (("runs", frame), ("epochs", epochs_frame(rows))):
        buffer = io.BytesIO()
        table.to_parquet(buffer)
        storage.write(f"sweeps/{name}/{file}.parquet", buffer.getvalue())
    return frame


def beside(teacher: str, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The result without its agreement with another teacher: sweeps of different teachers share their baselines."""
    if found.get("agreement_with", "") == teacher:
        return found
    history = [{k: v for k, v in row.items() if k != "teacher_agreement"} for row in found.get("history", [])]
    return {**found, "teacher_agreement": None, "history": history}


def unfinished(name: str, spec: RunSpec, attempts: int | None) -> dict[str, Any]:
    """What is known of a run that has no result. ``attempts`` None: not known."""
    return {"spec_id": name, "status": "unfinished", "spec": spec.flat(), "attempts": attempts, "history": []}
