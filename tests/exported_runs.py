"""Finished runs to export, without Ray: trained for a moment on real digits, or with weights as they were drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from kd_trainable.data.digits import digits
from kd_trainable.data.images import ImageData
from kd_trainable.data.inputs import make_inputs
from kd_trainable.engine import checkpoint
from kd_trainable.engine.plain import PlainRun
from kd_trainable.export.student import Trained
from kd_trainable.spec import RunSpec, spec_id
from kd_trainable.tuning import results
from kd_trainable.tuning.results import Ending
from kd_trainable.tuning.run_folder import RunFolder
from kd_trainable.tuning.store import Storage

BRIEF: dict[str, Any] = {
    "dataset": "digits", "student": "digits_mlp", "teacher": "digits_cnn", "augment": "none",
    "batch_size": 64, "lr": 0.05, "epochs": 1,
}  # fmt: skip


def run_of(data: ImageData, **fields: Any) -> PlainRun:
    """A run after its one epoch, or with ``epochs=0`` as it starts, under a teacher that knows the labels."""
    spec = RunSpec(**{**BRIEF, **fields})
    inputs = make_inputs(data, spec.protocol, spec.normalization, "cpu", True)
    right = 5 * nn.functional.one_hot(inputs.train_labels, inputs.classes).float()
    return PlainRun(spec, inputs, (lambda epoch: right) if spec.taught else None)


def trained(data: ImageData | None = None, steps: bool = True, **fields: Any) -> Trained:
    """The run, finished. Without ``steps`` its weights are as they were drawn, and so is its accuracy made up."""
    data = data or digits()
    run = run_of(data, **fields)
    if steps:
        run.step_epoch()
    else:
        shake(run.student)
        run.history.append({"validation_accuracy": 0.5, "test_accuracy": 0.5, "images_per_second": 1.0})
    found = data.fingerprint()
    name = spec_id(run.spec, found, "teacher")
    inputs = run.inputs
    facts = {
        "data_fingerprint": found,
        "teacher_fingerprint": "f" * 64 if run.spec.taught else "",
        "parameters": sum(p.numel() for p in run.student.parameters()),
        "sees": {"shape": list(data.shape), "classes": inputs.classes, "mean": inputs.mean, "std": inputs.std},
    }
    result = results.result(name, run.spec, Ending("finished"), run.history, facts)
    return Trained(name, run.spec, result, checkpoint.student_weights(run))


def shake(network: nn.Module) -> None:
    """Gives batch norms the statistics of some training, without which much of a network cannot be seen to matter."""
    generator = torch.Generator().manual_seed(1)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean = torch.randn(part.num_features, generator=generator) / 10
            part.running_var = 0.5 + torch.rand(part.num_features, generator=generator)


def stored(folder: Path, *runs: Trained, sweep: str = "first") -> Path:
    """A results folder with these runs, and a sweep that lists them."""
    storage, found = Storage(str(folder)), {}
    for run in runs:
        place = RunFolder(storage, run.spec_id)
        place.claim()
        place.finish(dict(run.result), run.weights)
        found[run.spec_id] = {**run.result, "attempts": 1}
    results.write_tables(sweep, storage, {run.spec_id: run.spec for run in runs}, found)
    return folder
