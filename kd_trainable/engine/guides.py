"""Who a student learns from, step by step: kept logits, a teacher that runs live, or a second student."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from kd_trainable.data.inputs import Inputs
from kd_trainable.engine.evaluate import autocast
from kd_trainable.engine.features import outputs
from kd_trainable.methods.controls import partners
from kd_trainable.spec import RunSpec
from kd_trainable.terms import entry, hyperparameters_of
from kd_trainable.vocabulary import Outputs

Targets = Callable[[int], Tensor]
"""epoch (from 0) -> the teacher's logits [N, K] for every training image in the look it has in that epoch."""


class KeptLogits:
    """A teacher whose logits were computed before, in float32, and kept in float16."""

    def __init__(self, targets: Targets, device: torch.device) -> None:
        self.targets, self.device = targets, device
        self.logits: Tensor | None = None

    def begin(self, epoch: int, looks: Any) -> None:
        """Fetches the epoch's logits, waiting for them if need be."""
        self.logits = self.targets(epoch).to(self.device)

    def outputs(self, indices: Int64[Tensor, " B"], pixels: Tensor) -> Outputs:
        """The teacher's logits for the images, in float32."""
        assert self.logits is not None
        return Outputs(self.logits[indices].float())


@dataclass(frozen=True, eq=False)
class LiveTeacher:
    """A frozen teacher on the student's device, in eval mode, and the images as it sees them."""

    network: nn.Module
    inputs: Inputs


class Live:
    """A teacher that runs at every step, in the precision of the run, on the very pixels that the student sees.

    Its control is applied to whole images: under ``shuffled-teacher`` it is shown another image in that one's look,
    under ``uniform-teacher`` logits and features are all 0.
    """

    def __init__(self, spec: RunSpec, teacher: LiveTeacher, student_inputs: Inputs, taps: Sequence[str]) -> None:
        self.spec, self.inputs, self.taps = spec, teacher.inputs, list(taps)
        self.network = _in_its_mode(spec, teacher.network)
        same = (teacher.inputs.mean, teacher.inputs.std) == (student_inputs.mean, student_inputs.std)
        self.shares_pixels = same and spec.control != "shuffled-teacher"
        self.looks: Any = None
        self.partners: Tensor | None = None
        if spec.control == "shuffled-teacher":
            self.partners = torch.from_numpy(partners(spec.seed, len(teacher.inputs.train))).to(teacher.inputs.device)

    def begin(self, epoch: int, looks: Any) -> None:
        """The looks of the epoch's images."""
        self.looks = looks

    @torch.no_grad()
    def outputs(self, indices: Int64[Tensor, " B"], pixels: Float[Tensor, "B C H W"]) -> Outputs:
        """Logits in float32, and features in the run's precision."""
        shown = indices if self.partners is None else self.partners[indices]
        seen = pixels if self.shares_pixels else self.inputs.training_pixels(shown, self.looks)
        with autocast(pixels.device, self.spec.precision):
            found = outputs(self.network, seen, self.taps)
        if self.spec.control == "uniform-teacher":
            zeros = {tap: torch.zeros_like(value) for tap, value in found.features.items()}
            found = Outputs(torch.zeros_like(found.logits), zeros)
        return Outputs(found.logits.float(), found.features)


def _in_its_mode(spec: RunSpec, network: nn.Module) -> nn.Module:
    """The teacher itself; or a copy whose batch norm sees each batch, and so drifts, for a method that asks for it."""
    names = [(term, entry(term).train_mode) for term in spec.terms if entry(term).train_mode]
    if not any(hyperparameters_of(term, spec.hyperparameters)[name] for term, name in names):
        return network
    own = copy.deepcopy(network)
    for module in own.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train()
    return own


def detached(found: Outputs) -> Outputs:
    """The same numbers, through which no gradient goes."""
    return Outputs(found.logits.detach(), {tap: value.detach() for tap, value in found.features.items()})
