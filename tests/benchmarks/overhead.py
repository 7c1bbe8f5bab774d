"""What a sweep costs beside training: 32 runs that train next to nothing, through Ray Tune, in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from figures import Row, seconds
from torch import nn

RUNS, FEW, TARGET_S = 32, 2, 0.5
TEMPERATURES = [float(t) for t in range(1, RUNS + 1)]
FIELDS: dict[str, Any] = {
    "dataset": "pixels:forty",
    "student": "overhead:linear",
    "teacher_model": "overhead:linear",
    "augment": "none",
    "epochs": 1,
    "batch_size": 32,
    "baselines": False,
}


def linear(num_classes: int, in_channels: int) -> nn.Module:
    """One layer from 4 x 4 pixels: student and teacher; the teacher's weights pick the class's pixel."""
    return nn.Sequential(OrderedDict(flatten=nn.Flatten(), classifier=nn.Linear(16 * in_channels, num_classes)))


def write_teacher(folder: Path) -> Path:
    """The file of a teacher that is right."""
    file = folder / "teacher.pt"
    torch.save({"classifier.weight": torch.eye(10, 16), "classifier.bias": torch.zeros(10)}, file)
    return file


def overhead() -> list[Row]:
    """Seconds a run, of the whole process; and of a sweep of two runs, which is start-up more than anything."""
    with tempfile.TemporaryDirectory() as folder:
        teacher = write_teacher(Path(folder))
        few = _fresh_process(teacher, f"{folder}/few", FEW)
        many = _fresh_process(teacher, f"{folder}/many", RUNS)
    each, further = many / RUNS, (many - few) / (RUNS - FEW)
    name = f"overhead of a sweep of {RUNS} runs that train nothing, a run"
    parts = f"a sweep of {FEW} runs takes {seconds(few)}, so each further run {seconds(further)}"
    return [
        Row(
            f"{name} (whole process {seconds(many)}; {parts})",
            seconds(each),
            target=f"< {TARGET_S:g} s",
            met=each < TARGET_S,
        )
    ]


def _fresh_process(teacher: Path, storage: str, runs: int) -> float:
    command = [sys.executable, __file__, str(teacher), storage, str(runs)]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ.copy(), check=False)
    took = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(done.stderr)
    return took


def _sweep(teacher: str, storage: str, runs: int) -> None:
    from kd_trainable.tuning import sweep

    frame = sweep(
        "overhead",
        teacher=teacher,
        temperature=TEMPERATURES[:runs],
        storage=storage,
        **FIELDS,
    )
    if list(frame["status"]) != ["finished"] * runs:
        raise RuntimeError(f"not all runs finished: {list(frame['error'])}")


if __name__ == "__main__":
    _sweep(sys.argv[1], sys.argv[2], int(sys.argv[3]))
