"""Accuracy and cross-entropy of a network on images as they are, without augmentation; and how long one image takes."""

from __future__ import annotations

import statistics
import time
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from kd_trainable.data.inputs import Inputs
from kd_trainable.engine.process import synchronize

EVALUATION_BATCH = {"cpu": 250, "cuda": 2000}  # by device: what keeps it busy without much memory
WARM_UP, LATENCY_S = 3, 0.1  # passes that are not timed, and for how long those after them are
LEAST_PASSES, MOST_PASSES = 5, 500  # but so many at least, and at most


class Score(NamedTuple):
    """Mean cross-entropy (nats) and accuracy (fraction of 1); NaN where there are no images.

    ``agreement``: the share of the images that the teacher gives the same class; NaN where its classes are not known.
    """

    loss: float
    accuracy: float
    agreement: float = float("nan")


def evaluate(
    model: nn.Module, inputs: Inputs, part: str, precision: str = "float32", teacher_classes: Tensor | None = None
) -> Score:
    """Score on ``part`` ('validation' or 'test'), in eval mode, in the precision the student trains in.

    ``teacher_classes``: the classes that a teacher gives the test images, int64 [N], to compare those given here with.
    """
    if part == "test":
        return _score(model, inputs, inputs.test_images, inputs.test_labels, None, precision, teacher_classes)
    if not len(inputs.validation):
        return Score(float("nan"), float("nan"))
    return _score(model, inputs, inputs.images, inputs.labels, inputs.validation, precision)


@torch.inference_mode()
def _score(
    model: nn.Module,
    inputs: Inputs,
    images: Tensor,
    labels: Tensor,
    rows: Tensor | None,
    precision: str,
    teacher_classes: Tensor | None = None,
) -> Score:
    model.eval()
    count, batch = len(images if rows is None else rows), EVALUATION_BATCH.get(images.device.type, 250)
    sums = torch.zeros(3, device=images.device, dtype=torch.float64)
    for start in range(0, count, batch):
        part = slice(start, min(start + batch, count))
        at = part if rows is None else rows[part]
        with autocast(images.device, precision):
            logits = model(inputs.as_input(images[at]))
        loss = functional.cross_entropy(logits.float(), labels[at], reduction="sum")
        classes = logits.argmax(1)
        same = loss.new_full((), float("nan")) if teacher_classes is None else (classes == teacher_classes[at]).sum()
        sums += torch.stack([loss.double(), (classes == labels[at]).sum().double(), same.double()])
    return Score(*(sums / count).tolist())


@torch.inference_mode()
def latency(model: nn.Module, inputs: Inputs, precision: str = "float32") -> float:
    """Seconds that one test image takes through the model, in eval mode: the median of passes after a warm-up.

    The image lies on the device already, normalised. NaN for a network that cannot take an image alone.
    """
    model.eval()
    image = inputs.as_input(inputs.test_images[:1])
    passes: list[float] = []
    try:
        while (timed := len(passes) - WARM_UP) < MOST_PASSES:
            if timed <= 0:
                began = time.perf_counter()
            if timed >= LEAST_PASSES and time.perf_counter() - began >= LATENCY_S:
                break
            passes.append(_seconds_of_a_pass(model, image, precision))
    except Exception:  # whatever a person's own network raises: its run is finished, and keeps its result
        return float("nan")
    return statistics.median(passes[WARM_UP:])


def _seconds_of_a_pass(model: nn.Module, image: Tensor, precision: str) -> float:
    synchronize(image.device)
    began = time.perf_counter()
    with autocast(image.device, precision):
        model(image)
    synchronize(image.device)
    return time.perf_counter() - began


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """bf16 by autocast: weights, losses and the optimizer stay float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
