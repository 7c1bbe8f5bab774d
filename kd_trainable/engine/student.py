"""The network of a run, as its seed starts it."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from kd_trainable.data.inputs import Inputs
from kd_trainable.models.build import build
from kd_trainable.models.start import start
from kd_trainable.spec import RunSpec

PEER = 0x50454552  # sets the second student's initial weights apart from the first's


def make_student(spec: RunSpec, inputs: Inputs) -> nn.Module:
    """The student as its seed initialises it: on the CPU, so on every device alike, and alike for every method."""
    return _network(spec, inputs, spec.student, spec.seed, "student")


def make_peer(spec: RunSpec, inputs: Inputs) -> nn.Module:
    """The second student of mutual learning: of the same architecture unless ``peer`` says, other initial weights."""
    return _network(spec, inputs, spec.peer or spec.student, derived_seed(spec.seed, PEER), "peer")


def _network(spec: RunSpec, inputs: Inputs, name: str, seed: int, field: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(name, inputs.classes, inputs.images.shape[1], field)
        start(
            network, name, init=spec.init, pretrained=spec.pretrained, zero_gamma=spec.zero_gamma, dropout=spec.dropout
        )
    layout = torch.channels_last if inputs.channels_last else torch.contiguous_format
    return network.to(inputs.device, memory_format=layout)  # type: ignore[call-overload]


def derived_seed(seed: int, purpose: int) -> int:
    """A torch seed for one epoch, or one other purpose, of one run."""
    words = np.random.SeedSequence([seed, purpose]).generate_state(2, np.uint32)
    return int(words[0]) << 32 | int(words[1])
