"""The student of every sweep that harm is done to: slow when told so, and with an accident when one is set up.

Its accident befalls one run once: the first one that finds the marker. What it computes is the same in any case.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from kd_trainable.models.digits import digits_mlp

SLEEP = "KD_TEST_STEP_SECONDS"  # that a training step takes longer
ACCIDENT = "KD_TEST_ACCIDENT"  # a name in ACCIDENTS
MARKER = "KD_TEST_ACCIDENT_MARKER"  # a file that is there until the accident has begun
STEPS_BEFORE = 60  # so that it is in the third epoch
CHUNK = 64 * 2**20


class student(nn.Module):
    """digits_mlp; the name is lower-case, as a network's builder is."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.network, self.steps = digits_mlp(num_classes, in_channels), 0

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            self.steps += 1
            time.sleep(float(os.environ.get(SLEEP, "0")))
            if self.steps > STEPS_BEFORE and os.environ.get(ACCIDENT) and _is_first():
                ACCIDENTS[os.environ[ACCIDENT]]()
        return self.network(images)  # type: ignore[no-any-return]


def _is_first() -> bool:
    with contextlib.suppress(FileNotFoundError):
        Path(os.environ[MARKER]).unlink()
        return True
    return False


def _allocate() -> None:
    """Asks at once for more than any machine has."""
    torch.empty(2**47, dtype=torch.uint8)


def _fill_gpu() -> None:
    """Really, where there is a GPU; elsewhere it raises what torch would."""
    if torch.cuda.is_available():
        torch.empty(2**44, dtype=torch.uint8, device="cuda")
    raise torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 16384.00 GiB. GPU 0 has a total capacity of ..."
    )


def _grow() -> None:
    """Takes memory, slowly enough to be seen, until it is killed for it or has had 8 GiB."""
    held = []
    for _ in range(8 * 2**30 // CHUNK):
        held.append(torch.ones(CHUNK, dtype=torch.uint8))
        time.sleep(0.05)
    raise MemoryError("nobody minded")


ACCIDENTS = {"allocate": _allocate, "fill-gpu": _fill_gpu, "grow": _grow}
