"""How fast runs train here: a few steps of each kind of run, timed on random pixels."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from kd_trainable import logits, shards
from kd_trainable.data.images import ImageData
from kd_trainable.data.inputs import Inputs, make_inputs, wants_channels_last
from kd_trainable.engine.guides import LiveTeacher
from kd_trainable.engine.plain import PlainRun
from kd_trainable.engine.student import make_student
from kd_trainable.spec import RunSpec
from kd_trainable.vocabulary import DatasetEntry

STEPS_TIMED, EPOCHS_TIMED = 3, 4
ENOUGH_S = 4.0  # of timing; slower steps need no more of them
IMAGES_TIMED = 500  # of a teacher pass, and of an evaluation


@dataclass(frozen=True)
class Pace:
    """Seconds an image, measured here on random pixels."""

    train: float
    evaluate: float


_PACES: dict[tuple[Any, ...], Pace] = {}


def pace_of(spec: RunSpec, known: DatasetEntry, device: str) -> Pace:
    """The pace of a spec's steps, measured once for all specs that take the same time."""
    what: tuple[Any, ...] = (spec.student, spec.precision, spec.batch_size, spec.pixels, spec.optimizer)
    if spec.live or spec.mutual:
        what += (spec.method, spec.taps, spec.teacher, spec.peer)
    what += (torch.get_num_threads(),)
    if what not in _PACES:
        _PACES[what] = _measure(spec, known, device)
    return _PACES[what]


def _measure(spec: RunSpec, known: DatasetEntry, device: str) -> Pace:
    images = STEPS_TIMED * spec.batch_size
    inputs = _random_inputs(spec, known, images, device)
    run = _run(spec, inputs)
    began, rows = time.perf_counter(), [run.step_epoch()]  # the first ones warm up
    while len(rows) < EPOCHS_TIMED and time.perf_counter() - began < ENOUGH_S:
        rows.append(run.step_epoch())
    train = min(1 / row["images_per_second"] for row in rows)
    evaluate = min(row["epoch_seconds"] - images / row["images_per_second"] for row in rows)
    return Pace(train, evaluate / IMAGES_TIMED)


def _run(spec: RunSpec, inputs: Inputs) -> PlainRun:
    """A run whose steps take as long as the spec's; its own method only where that costs more than to read logits."""
    method = spec.method if spec.live or spec.mutual else "none"
    fixed: dict[str, Any] = {"protocol": "published", "patience": 0, "warmup_epochs": 0, "pretrained": False}
    short = replace(spec, **fixed, method=method, epochs=EPOCHS_TIMED, lr=1e-6, schedule="constant", milestones=())
    teacher = LiveTeacher(_untrained(spec.teacher, spec, inputs), inputs) if spec.live else None
    return PlainRun(short, inputs, lambda epoch: torch.zeros(len(inputs.train), inputs.classes), teacher)


def _untrained(name: str, spec: RunSpec, inputs: Inputs) -> torch.nn.Module:
    plain = RunSpec(dataset=spec.dataset, student=name, normalization=spec.normalization, method="none")
    return make_student(plain, inputs).requires_grad_(False).eval()


def pass_pace(teacher: str, spec: RunSpec, known: DatasetEntry, device: str) -> float:
    """Seconds an image of a pass of the network ``teacher`` over the pixels of ``spec``, in float32."""
    inputs = _random_inputs(replace(spec, precision="float32"), known, IMAGES_TIMED, device)
    module = _untrained(teacher, spec, inputs)
    times = [
        _seconds(lambda: logits.compute(module, inputs, spec.pixels, shards.Shard(0, 0)), device) for _ in range(2)
    ]
    return min(times) / IMAGES_TIMED


def _seconds(work: Callable[[], Any], device: str) -> float:
    began = _now(device)
    work()
    return _now(device) - began


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _random_inputs(spec: RunSpec, known: DatasetEntry, images: int, device: str) -> Inputs:
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 256, (n, *known.shape), np.uint8) for n in (images, IMAGES_TIMED))
    labels = [rng.integers(0, known.classes, n) for n in (images, IMAGES_TIMED)]
    names = tuple(map(str, range(known.classes)))
    data = ImageData("random", train, labels[0], test, labels[1], names, known.normalizations, {"source": "random"})
    return make_inputs(data, "published", spec.normalization, device, wants_channels_last(device, spec.precision))
