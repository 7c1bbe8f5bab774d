"""What a person waits for who looks at a big results folder: 1,000 runs of 100 epochs, made up, in four sweeps."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from figures import Row, seconds

from analysis import frames
from analysis.columns import typed
from analysis.stats.cells import cells
from kd_trainable.records import EPOCH_COLUMNS, RUN_COLUMNS

ROOT = Path(__file__).parent.parent.parent
STUDENTS = {"resnet8": 78_042, "resnet20": 272_474, "conv5x5": 62_006, "mobilenetv2": 2_236_682}
ALPHAS, TEMPERATURES = (0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 1.0), (1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 20.0)
EPOCHS, SEEDS = 100, 5  # 4 students x (7 x 7 cells and a baseline) x 5 seeds are 1,000 runs
MANY = 25  # seeds: 5,000 runs
SCRIPTS = {"report.py": 20.0, "compare.py": None, "pareto.py": None}  # of analysis/, and their targets in seconds
SETTING = {
    "status": "finished", "attempts": 1, "dataset": "cifar10", "hyperparameters": "{}", "taps": "[]",
    "convention": "hinton", "control": "none", "optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": False,
    "weight_decay": 5e-4, "schedule": "cosine", "milestones": "[]", "warmup_epochs": 0, "fresh_optimizer": False,
    "epochs": EPOCHS, "batch_size": 128, "augment": "crop4+flip", "random_erasing": 0.0, "cutout": 0, "mixup": 0.0,
    "normalization": "dataset", "label_smoothing": 0.0, "dropout": 0.0, "init": "default", "pretrained": False,
    "patience": 0, "monitor": "accuracy", "protocol": "holdout", "precision": "float32", "epochs_run": EPOCHS,
    "device": "made up", "threads": 1, "gpus": 0.25, "teacher_saw_validation": "no",
}  # fmt: skip


def analysis() -> list[Row]:
    """Frames, cells and the scripts, each once, as a person meets them."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), SEEDS)
        read, (runs, epochs) = _timed(lambda: (frames.runs(folder), frames.epochs(folder)))
        rows = [_row(f"frames: {len(runs):,} runs, {len(epochs):,} epochs", read, 5.0)]
        rows += [_cells(runs), _cells(made_up(MANY)), *(_script(name, folder) for name in SCRIPTS)]
    return rows


def write(folder: Path, seeds: int) -> None:
    """A results folder with a sweep a student, as ``tuning`` would leave it."""
    runs = made_up(seeds)
    for student, of in runs.groupby("student"):
        sweep = folder / "sweeps" / f"made_up_{student}"
        sweep.mkdir(parents=True)
        of.to_parquet(sweep / "runs.parquet")
        made_up_epochs(of).to_parquet(sweep / "epochs.parquet")


def made_up(seeds: int) -> pd.DataFrame:
    """Runs whose accuracies are drawn: a baseline and 49 cells a student."""
    draw = np.random.default_rng(0)
    crossings = [(None, None), *itertools.product(ALPHAS, TEMPERATURES)]
    rows = [
        _run(student, alpha, temperature, seed, draw)
        for student, (alpha, temperature), seed in itertools.product(STUDENTS, crossings, range(seeds))
    ]
    filled = [{**SETTING, "spec_id": f"{index:012x}", **row} for index, row in enumerate(rows)]
    return typed(pd.DataFrame(filled, columns=[column.name for column in RUN_COLUMNS]), RUN_COLUMNS)


def made_up_epochs(runs: pd.DataFrame) -> pd.DataFrame:
    """Learning curves that rise to each run's accuracy."""
    rise = 1 - np.exp(-np.arange(1, EPOCHS + 1) / 20)
    table = pd.DataFrame(
        {
            "spec_id": np.repeat(runs["spec_id"].to_numpy(), EPOCHS),
            "epoch": np.tile(np.arange(1, EPOCHS + 1), len(runs)),
            **{
                name: np.outer(runs[f"{name}_last"].to_numpy(), rise).ravel()
                for name in ("validation_accuracy", "test_accuracy")
            },
            "train_loss": np.tile(2.3 - 2 * rise, len(runs)),
        }
    )
    return typed(table.reindex(columns=[column.name for column in EPOCH_COLUMNS]), EPOCH_COLUMNS)


def _run(student: str, alpha: float | None, temperature: float | None, seed: int, draw: Any) -> dict[str, Any]:
    test, validation = 0.8 + 0.02 * (alpha or 0) + 0.003 * draw.normal(size=2)
    distilled = alpha is not None
    return {
        "student": student,
        "method": "kd" if distilled else "none",
        **({"teacher": "resnet18", "mode": "kl", "alpha": alpha, "temperature": temperature} if distilled else {}),
        "seed": seed,
        "test_accuracy_last": test,
        "test_accuracy_best": test + 0.002,
        "test_accuracy_at_best_validation": test,
        "validation_accuracy_last": validation,
        "validation_accuracy_best": validation + 0.002,
        "teacher_agreement": 0.85 if distilled else None,
        "latency_seconds": STUDENTS[student] * 1e-9,
        "train_seconds": 600.0,
        "images_per_second": 7500.0,
        "parameters": STUDENTS[student],
    }


def _cells(runs: pd.DataFrame) -> Row:
    took, table = _timed(lambda: cells(runs))
    return _row(f"cells: {len(table)} of {len(runs):,} runs", took, None)


def _script(name: str, folder: str) -> Row:
    if not (ROOT / "analysis" / name).exists():
        return Row(f"analysis/{name}: not there", "–")
    command = [sys.executable, f"analysis/{name}", folder]
    took, done = _timed(lambda: subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False))
    if done.returncode:
        raise RuntimeError(done.stderr)
    return _row(f"analysis/{name}, the whole process, on {os.cpu_count()} cores", took, SCRIPTS[name])


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def _row(what: str, took: float, target: float | None) -> Row:
    goal, met = ("–", None) if target is None else (f"< {target:g} s", took < target)
    return Row(what, seconds(took), target=goal, met=met)
