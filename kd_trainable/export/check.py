"""What an exported file must pass: loaded back by its own script it says what the student said, for any batch size."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import nn

from kd_trainable.data.images import ImageData
from kd_trainable.data.inputs import make_inputs, wants_channels_last
from kd_trainable.data.views import normalise
from kd_trainable.engine.evaluate import evaluate
from kd_trainable.export.student import Sees, Trained
from kd_trainable.vocabulary import InputError

BATCHES = (1, 7, 64)
TOLERANCE = 1e-4  # of the largest logit: another runtime sums in another order, which gives some 1e-6
# Images whose class may differ from the run's own evaluation, on another device perhaps: a share, or so many
ROUNDED, ROUNDED_IMAGES = {"float32": 0.001, "bf16": 0.005}, 3

Images = UInt8[np.ndarray, "N C H W"]


def images_for(takes: Sees, data: ImageData | None) -> Images:
    """As many as the batches of the check need: the first test images, random ones where the data is not at hand."""
    count = sum(BATCHES)
    if data is not None:
        return np.resize(data.test_images, (count, *takes.shape))  # again from the first where there are fewer
    return np.random.default_rng(0).integers(0, 256, (count, *takes.shape), np.uint8)


def same_outputs(folder: Path, loader: str, network: nn.Module, takes: Sees, images: Images) -> float:
    """Largest difference of logits, in units of the largest one, between the file in ``folder`` and the student.

    Raises InputError where that is beyond TOLERANCE, or the script cannot load the file or run it.
    """
    with torch.inference_mode():
        wanted = network(normalise(torch.from_numpy(images), takes.mean, takes.std)).numpy()
    found, pixels = [], images.astype(np.float32) / np.float32(255)
    try:
        loaded = runpy.run_path(str(folder / loader))["logits"]
        for start, size in zip(np.cumsum((0, *BATCHES)), BATCHES, strict=False):
            found.append(_logits(loaded, pixels[start : start + size], takes))
    except Exception as error:  # whatever a runtime raises
        why = " ".join(str(error).split())[:200]
        raise InputError(f"format: the exported file does not run ({type(error).__name__}: {why})") from None
    difference = float(np.abs(np.concatenate(found) - wanted).max() / max(np.abs(wanted).max(), 1e-30))
    if not difference <= TOLERANCE:
        raise InputError(
            f"format: the exported file's logits differ from the student's by {difference:.1g} of the largest; "
            f"{TOLERANCE:g} is allowed"
        )
    return difference


def _logits(loaded: Any, pixels: Float32[np.ndarray, "B C H W"], takes: Sees) -> Float32[np.ndarray, "B K"]:
    given = np.asarray(loaded(pixels))
    if given.shape != (len(pixels), takes.classes):
        raise ValueError(f"{given.shape} for {len(pixels)} images of {takes.classes} classes")
    return given


def test_accuracy(trained: Trained, network: nn.Module, data: ImageData) -> float:
    """Of the network, evaluated as the run was but on the CPU. Raises InputError unless it is the recorded one."""
    spec, recorded = trained.spec, trained.result["test_accuracy_last"]
    layout = wants_channels_last("cpu", spec.precision)
    inputs = make_inputs(data, spec.protocol, spec.normalization, "cpu", layout)
    found = evaluate(network, inputs, "test", spec.precision).accuracy
    allowed = max(ROUNDED[spec.precision], ROUNDED_IMAGES / len(data.test_images))
    if not abs(found - recorded) <= allowed + 1e-9:
        raise InputError(
            f"run: {trained.spec_id}: the weights give {100 * found:.2f} % on the test images, "
            f"but the result says {100 * recorded:.2f} %: changed, or another run's"
        )
    return found
