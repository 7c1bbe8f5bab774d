"""What the tests of sweeps run, and how they compare it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from kd_trainable.records import RUN_COLUMNS

RECIPE = {"dataset": "digits", "student": "digits_cnn", "augment": "none", "batch_size": 64, "lr": 0.05, "epochs": 6}
SHORT = {"dataset": "digits", "student": "digits_mlp", "augment": "none", "batch_size": 64, "lr": 0.05, "epochs": 3}
MEASURED = {"attempts", "train_seconds", "teacher_seconds", "images_per_second", "device"}  # what may differ


def numbers(runs: pd.DataFrame) -> pd.DataFrame:
    """A table of runs less what the machine and the day add to it, in an order of its own."""
    columns = [c.name for c in RUN_COLUMNS if c.name not in MEASURED]
    return runs[columns].sort_values("spec_id", ignore_index=True)


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file under a folder: when it was written, and what it holds."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}
