"""A comprehensive overhaul of feature distillation (Heo et al. 2019, arXiv:1904.01866), "OFD".

Features before each stage's last ReLU. The teacher's are raised to a margin, the expected value of a negative
response, by channel; the student's pass a 1 x 1 convolution without bias and batch norm. The distance, equation 4, is
the squared difference where the target is positive or the student above it: below a negative target a ReLU blocks both.
Summed over C, H and W, mean over the batch, and stage i of n weighs 1 / 2^(n - i - 1)
(clovaai/overhaul-distillation 76344a8, CIFAR-100/distiller.py). Default weight: 1e-3, theirs for CIFAR-100 and
mdistiller's; for ImageNet they have 1e-4, and advise less for light students (issue 12).

The margins come from the teacher's batch norm before the ReLU, its responses being taken as normal, as it is when the
run starts. Hyperparameter ``teacher_train``: at 1 the teacher's batch norm uses each batch's statistics and its
running ones drift, as in the authors' training and mdistiller's; 0, the default, leaves the teacher as it is. Joined
with kd, the soft targets come from that same teacher.

What differs: that default; and maps of unequal sizes are refused, where mdistiller averages the teacher's down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kd_trainable.vocabulary import Batch, Fit, InputError, Outputs

RARE = 1e-3  # a channel that is negative less often than this has margin -3 sd, as in the authors' code


def loss(student: Outputs, teacher: Outputs, batch: Batch, *, hyperparameters: Mapping[str, Any]) -> Float[Tensor, ""]:
    """Sum over stages of the partial squared distance / 2^(stages after it), in float32, not yet weighted.

    The features are those that the adapter gives: the student's connected, the teacher's at their margins or above.
    """
    after = len(student.features) - 1
    distances = [
        _partial(features, teacher.features[tap]) / 2 ** (after - stage)
        for stage, (tap, features) in enumerate(student.features.items())
    ]
    return torch.stack(distances).sum()


def adapter(fits: Sequence[Fit], hyperparameters: Mapping[str, float]) -> nn.Module:
    """A connector and the margins for each stage. Raises InputError, naming both shapes, where none can be."""
    return Connectors(fits)


class Connectors(nn.Module):
    """The student's maps [B, C, H, W] made as deep as the teacher's, and the teacher's raised to its margins."""

    def __init__(self, fits: Sequence[Fit]) -> None:
        super().__init__()
        self.taps = [fit.tap for fit in fits]
        self.stages = nn.ModuleList(Connector(fit) for fit in fits)

    def forward(
        self, student_features: Mapping[str, Tensor], teacher_features: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        both = {
            tap: stage(student_features[tap], teacher_features[tap])
            for tap, stage in zip(self.taps, self.stages, strict=True)
        }
        return {tap: ours for tap, (ours, _) in both.items()}, {tap: theirs for tap, (_, theirs) in both.items()}


class Connector(nn.Module):
    """One stage's convolution and batch norm, and the teacher's margins, a buffer [C, 1, 1]."""

    margins: Tensor

    def __init__(self, fit: Fit) -> None:
        super().__init__()
        _require_match(fit)
        self.convolution = nn.Conv2d(fit.student[0], fit.teacher[0], 1, bias=False)
        nn.init.kaiming_normal_(self.convolution.weight, mode="fan_out")
        self.norm = nn.BatchNorm2d(fit.teacher[0])
        self.register_buffer("margins", margins(fit.norm)[:, None, None])

    def forward(
        self, student: Float[Tensor, "B C1 H W"], teacher: Float[Tensor, "B C2 H W"]
    ) -> tuple[Float[Tensor, "B C2 H W"], Float[Tensor, "B C2 H W"]]:
        # cast first: features are bfloat16 where the networks are, and the connector float32
        return self.norm(self.convolution(student.float())), torch.maximum(teacher.float(), self.margins)


def margins(norm: nn.BatchNorm2d) -> Float[Tensor, "C"]:
    """E[x | x < 0] of x normal with the batch norm's shift as mean and scale as sd, in float32; -3 sd where rare."""
    # float64, since the ratio of two tails loses digits, on the CPU, since not every device has it; and no sd of 0
    sd = norm.weight.detach().cpu().double().abs().clamp(min=1e-12)
    mean = norm.bias.detach().cpu().double()
    negative = torch.special.ndtr(-mean / sd)
    density = (-(mean / sd).square() / 2).exp() / (2 * torch.pi) ** 0.5
    expected = mean - sd * density / negative.clamp(min=RARE)
    return torch.where(negative > RARE, expected, -3 * sd).float()


def _require_match(fit: Fit) -> None:
    shapes = f"the student's {list(fit.student)} and the teacher's {list(fit.teacher)}"
    if len(fit.student) != 3 or fit.student[1:] != fit.teacher[1:]:
        raise InputError(f"taps: ofd cannot match {fit.tap}, {shapes}; must be maps [C, H, W] of one height and width")
    norm, channels = fit.norm, fit.teacher[0]
    if not isinstance(norm, nn.BatchNorm2d) or not norm.affine or norm.num_features != channels:
        needed = f"must be an affine BatchNorm2d of {channels} channels, named as STUDENT:TEACHER:NORM"
        raise InputError(
            f"taps: ofd needs the batch norm before the teacher's ReLU for {fit.tap}, not {norm or 'none'}; {needed}"
        )


def _partial(student: Float[Tensor, "B C H W"], target: Float[Tensor, "B C H W"]) -> Float[Tensor, ""]:
    ours, theirs = student.float(), target.float()
    counts = (ours > theirs) | (theirs > 0)
    return torch.where(counts, (ours - theirs).square(), 0.0).sum((1, 2, 3)).mean()
