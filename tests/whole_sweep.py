"""A made-up sweep with all that a report can show: two students, controls, failures, costs, and texts meant to harm."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.columns import typed
from kd_trainable.records import EPOCH_COLUMNS, RUN_COLUMNS

HARM = "<script>window.harmed = true</script><img src=x onerror='window.harmed = true'>"
STUDENTS = {"resnet8": (78_042, 0.0007, 0.0), "resnet20": (272_474, 0.0018, 0.03)}
EPOCHS, SEEDS = 8, 3
ABOUT: dict[str, Any] = {
    "sweep_format": 1,
    "name": "whole",
    "question": f"How much does a teacher help? {HARM}",
    "command": f"python sweeps/whole.py --seeds 0 1 2 --storage 'results {HARM}'",
    "storage": "results",
    "metric": "validation_accuracy",
    "searcher": "grid",
    "scheduler": None,
    "began": "2025-11-20T10:00:00+00:00",
    "ended": "2025-11-20T11:30:00+00:00",
    "teacher": {"architecture": "wrn_16_2", "dataset": "cifar10", "test_accuracy": 0.9312, "parameters": 703_284},
    "recipe": {"epochs": EPOCHS},
    "versions": {"python": "3.11.2", "torch": "2.11.0"},
}
SETTING: dict[str, Any] = {
    "status": "finished", "attempts": 1, "dataset": "cifar10", "hyperparameters": "{}", "taps": "[]",
    "control": "none", "optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4, "schedule": "cosine",
    "milestones": "[]", "epochs": EPOCHS, "batch_size": 128, "augment": "crop4+flip", "normalization": "dataset",
    "init": "default", "protocol": "holdout", "precision": "float32", "epochs_run": EPOCHS, "device": "cuda (H200)",
    "threads": 1, "gpus": 0.25, "teacher_saw_validation": "no", "train_seconds": 600.0, "teacher_seconds": 20.0,
    "images_per_second": 7500.0,
}  # fmt: skip
TAUGHT = {"method": "kd", "teacher": "wrn_16_2", "mode": "kl", "convention": "hinton", "teacher_fingerprint": "f00d"}


def write(folder: Path, about: dict[str, Any] | None = ABOUT, **changes: Any) -> Path:
    """The sweep's folder, as ``tuning`` would leave it; ``changes`` go into every run."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{**SETTING, "spec_id": f"{place:012x}", **row, **changes} for place, row in enumerate(_rows())]
    runs = typed(pd.DataFrame(rows, columns=[column.name for column in RUN_COLUMNS]), RUN_COLUMNS)
    runs.to_parquet(folder / "runs.parquet")
    epochs(runs).to_parquet(folder / "epochs.parquet")
    if about is not None:
        (folder / "sweep.json").write_text(json.dumps(about))
    return folder


def epochs(runs: pd.DataFrame) -> pd.DataFrame:
    """Curves that rise to what each run reached."""
    rise = 1 - np.exp(-np.arange(1, EPOCHS + 1))
    rows = [
        {"spec_id": name, "epoch": epoch, "test_accuracy": last * share, "validation_accuracy": last * share}
        for name, last in zip(runs["spec_id"], runs["test_accuracy_last"], strict=True)
        if pd.notna(last)
        for epoch, share in enumerate(rise, start=1)
    ]
    return typed(pd.DataFrame(rows, columns=[column.name for column in EPOCH_COLUMNS]), EPOCH_COLUMNS)


def _rows() -> Iterator[dict[str, Any]]:
    draw = np.random.default_rng(0)
    for student, seed in itertools.product(STUDENTS, range(SEEDS)):
        yield _run(student, seed, 0.0, draw, method="none")
        for mode, alpha, temperature in itertools.product(("kl", "mse"), (0.5, 0.9), (1.0, 4.0, 10.0)):
            gain = 0.01 * alpha if mode == "kl" else -0.02
            yield _run(student, seed, gain, draw, **TAUGHT | {"mode": mode, "alpha": alpha, "temperature": temperature})
        control = {"alpha": 0.9, "temperature": 4.0, "control": "shuffled-teacher"}
        yield _run(student, seed, -0.03, draw, **TAUGHT | control)
    other = TAUGHT | {"student": "resnet8", "alpha": 0.9, "seed": 3, "temperature": 4.0, "epochs_run": 2}
    yield other | {"status": "failed", "error": f"loss is not a number {HARM}", "attempts": 2, "train_seconds": 50.0}
    yield other | {"status": "lost", "seed": 4, "train_seconds": None}
    yield other | {"status": "running", "seed": 5}


def _run(student: str, seed: int, gain: float, draw: Any, **fields: Any) -> dict[str, Any]:
    parameters, latency, better = STUDENTS[student]
    test, validation = 0.85 + better + gain + 0.002 * draw.normal(size=2)
    return {
        "student": student,
        "seed": seed,
        "test_accuracy_last": test,
        "test_accuracy_best": test + 0.001,
        "test_accuracy_at_best_validation": test,
        "validation_accuracy_last": validation,
        "validation_accuracy_best": validation,
        "teacher_agreement": None if fields["method"] == "none" else 0.9 + gain,
        "latency_seconds": latency * (1 + 0.05 * draw.random()),
        "parameters": parameters,
        **fields,
    }
