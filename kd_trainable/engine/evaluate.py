"""Accuracy and cross-entropy of a network on images as they are, without augmentation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from kd_trainable.data.inputs import Inputs

EVALUATION_BATCH = {"cpu": 250, "cuda": 2000}  # by device: what keeps it busy without much memory


class Score(NamedTuple):
    """Mean cross-entropy (nats) and accuracy (fraction of 1); NaN where there are no images."""

    loss: float
    accuracy: float


def evaluate(model: nn.Module, inputs: Inputs, part: str, precision: str = "float32") -> Score:
    """Score on ``part`` ('validation' or 'test'), in eval mode, in the precision the student trains in."""
    if part == "test":
        return _score(model, inputs, inputs.test_images, inputs.test_labels, None, precision)
    if not len(inputs.validation):
        return Score(float("nan"), float("nan"))
    return _score(model, inputs, inputs.images, inputs.labels, inputs.validation, precision)


@torch.inference_mode()
def _score(
    model: nn.Module, inputs: Inputs, images: Tensor, labels: Tensor, rows: Tensor | None, precision: str
) -> Score:
    model.eval()
    count, batch = len(images if rows is None else rows), EVALUATION_BATCH.get(images.device.type, 250)
    sums = torch.zeros(2, device=images.device, dtype=torch.float64)
    for start in range(0, count, batch):
        part = slice(start, min(start + batch, count))
        at = part if rows is None else rows[part]
        with autocast(images.device, precision):
            logits = model(inputs.as_input(images[at]))
        loss = functional.cross_entropy(logits.float(), labels[at], reduction="sum")
        sums += torch.stack([loss.double(), (logits.argmax(1) == labels[at]).sum().double()])
    loss_mean, accuracy = (sums / count).tolist()
    return Score(loss_mean, accuracy)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """bf16 by autocast: weights, losses and the optimizer stay float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
