"""FitNets: hints from the teacher's middle stage (Romero et al. 2015, arXiv:1412.6550).

Mean over all elements of (r(student) - teacher)^2, equation 3 as public code has it: r is a convolution, batch norm
and ReLU, trained beside the student (ConvReg of HobbitLong/RepDistiller eedab9d and mdistiller e8c5bb3). Default
weight: 100, of both.

What differs from the paper: it sums and halves where we take the mean; its regressor has no batch norm; and it trains
the lower half on hints alone first, then all by softened logits, where here one stage does it with cross-entropy.

How r fits the sizes: a student's map twice the teacher's takes a 3 x 3 convolution of stride 2; half of it, a
transposed 4 x 4 of stride 2; one as large or larger, a convolution without padding of what kernel it needs. Public
code looks at the height alone; here both sides must agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kd_trainable.vocabulary import Batch, Fit, InputError, Outputs


def loss(student: Outputs, teacher: Outputs, batch: Batch, *, hyperparameters: Mapping[str, Any]) -> Float[Tensor, ""]:
    """Mean squared difference of fitted and teacher's features, summed over the taps, in float32, not yet weighted."""
    distances = [_hint(features, teacher.features[tap]) for tap, features in student.features.items()]
    return torch.stack(distances).sum()


def adapter(fits: Sequence[Fit], hyperparameters: Mapping[str, float]) -> nn.Module:
    """A regressor for each pair. Raises InputError for a map that none can fit; the line names both shapes."""
    return Regressors(fits)


class Regressors(nn.Module):
    """Makes the student's maps [B, C, H, W] as large and as deep as the teacher's, in float32."""

    def __init__(self, fits: Sequence[Fit]) -> None:
        super().__init__()
        self.taps = [fit.tap for fit in fits]
        self.regressors = nn.ModuleList(_regressor(fit) for fit in fits)

    def forward(
        self, student_features: Mapping[str, Tensor], teacher_features: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        # cast first: features are bfloat16 where the networks are, and the regressors float32
        regressors = zip(self.taps, self.regressors, strict=True)
        return {tap: fit(student_features[tap].float()) for tap, fit in regressors}, dict(teacher_features)


def _regressor(fit: Fit) -> nn.Module:
    return nn.Sequential(_convolution(fit), nn.BatchNorm2d(fit.teacher[0]), nn.ReLU())


def _convolution(fit: Fit) -> nn.Module:
    if len(fit.student) != 3 or len(fit.teacher) != 3:
        raise _unfit(fit, "must be feature maps [C, H, W]")
    (width, *ours), (teacher_width, *theirs) = fit.student, fit.teacher
    if ours == [2 * side for side in theirs]:
        return nn.Conv2d(width, teacher_width, 3, stride=2, padding=1)
    if theirs == [2 * side for side in ours]:
        return nn.ConvTranspose2d(width, teacher_width, 4, stride=2, padding=1)
    if any(mine < its for mine, its in zip(ours, theirs, strict=True)):
        raise _unfit(fit, "the student's sides must be half the teacher's, or no smaller")
    return nn.Conv2d(width, teacher_width, (1 + ours[0] - theirs[0], 1 + ours[1] - theirs[1]))


def _unfit(fit: Fit, allowed: str) -> InputError:
    shapes = f"the student's {list(fit.student)} and the teacher's {list(fit.teacher)}"
    return InputError(f"taps: fitnets cannot match {fit.tap}, {shapes}; {allowed}")


def _hint(student: Float[Tensor, "B C H W"], teacher: Float[Tensor, "B C H W"]) -> Float[Tensor, ""]:
    return (student.float() - teacher.float()).square().mean()
