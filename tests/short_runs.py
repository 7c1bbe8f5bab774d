"""What the tests of sweeps run, and how they compare it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from kd_trainable.records import RUN_COLUMNS

RECIPE = {"dataset": "digits", "student": "digits_cnn", "augment": "none", "batch_size": 64, "lr": 0.05, "epochs": 6}
SHORT = {"dataset": "digits", "student": "digits_mlp", "augment": "none", "batch_size": 64, "lr": 0.05, "epochs": 3}
MEASURED = {"attempts", "train_seconds", "teacher_seconds", "images_per_second", "latency_seconds"}  # what may differ
TIMES = {"epoch_seconds", "images_per_second"}


def numbers(runs: pd.DataFrame) -> pd.DataFrame:
    """A table of runs less what the machine and the day add to it, in an order of its own."""
    columns = [c.name for c in RUN_COLUMNS if c.name not in MEASURED]
    return runs[columns].sort_values("spec_id", ignore_index=True)


def result(storage: Path, spec_id: str) -> dict[str, Any]:
    """A run's result.json."""
    found: dict[str, Any] = json.loads((storage / "runs" / spec_id / "result.json").read_text())
    return found


def history(storage: Path, spec_id: str) -> list[dict[str, str]]:
    """A run's epochs less their times; as text, in which NaN equals itself and nothing is rounded."""
    rows = result(storage, spec_id)["history"]
    return [{k: repr(v) for k, v in row.items() if k not in TIMES} for row in rows]


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file under a folder: when it was written, and what it holds."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}
