"""An epoch equals a loop over a live teacher, written as anyone would write it in plain torch."""

from __future__ import annotations

import pytest
import tiny
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kd_trainable import rules
from kd_trainable.data.stream import epoch_order, epoch_views
from kd_trainable.engine.plain import PlainRun
from kd_trainable.spec import RunSpec

WEIGHTS = {  # DESIGN.md's table, by hand, at alpha = 0.7, T = 3
    "hinton": (1 - 0.7, 0.7 * 9),
    "unscaled": (1 - 0.7, 0.7),
    "additive": (1.0, 0.7 * 9),
    "hard_lambda": (0.7, 1.0),
}


def naive_pixels(image: Tensor, view: int) -> Tensor:
    """One image, cropped from four zeros of padding, perhaps mirrored, as torchvision would normalise it."""
    top, left, flip = view // 2 // 9, view // 2 % 9, view % 2
    window = F.pad(image, (4, 4, 4, 4))[:, top : top + image.shape[1], left : left + image.shape[2]]
    return ((window.flip(2) if flip else window).float() / 255 - 0.5) / 0.25


def naive_epoch(spec: RunSpec, student: nn.Module, teacher: nn.Module, weights: tuple[float, float]) -> None:
    """An epoch of plain distillation: live teacher, F.cross_entropy, F.kl_div, torch.optim.SGD."""
    inputs = tiny.inputs()
    images, labels, count = inputs.images[inputs.train], inputs.labels[inputs.train], len(inputs.train)
    order, views = epoch_order(spec.seed, 0, count), epoch_views(spec.seed, 0, count, 162)
    optimizer = tiny.unfused(spec, student.parameters())
    student.train()
    for start in range(0, count, spec.batch_size):
        batch = order[start : start + spec.batch_size]
        pixels = torch.stack([naive_pixels(images[i], int(views[i])) for i in batch])
        with torch.no_grad():
            wanted = F.softmax(teacher(pixels) / 3.0, dim=1)
        logits = student(pixels)
        hard = F.cross_entropy(logits, labels[batch], label_smoothing=spec.label_smoothing)
        soft = F.kl_div(F.log_softmax(logits / 3.0, dim=1), wanted, reduction="batchmean")
        optimizer.zero_grad()
        (weights[0] * hard + weights[1] * soft).backward()
        optimizer.step()


def live_targets(teacher: nn.Module, spec: RunSpec) -> Tensor:
    inputs = tiny.inputs()
    views = epoch_views(spec.seed, 0, len(inputs.train), 162)
    pixels = [naive_pixels(inputs.images[row], int(view)) for row, view in zip(inputs.train, views, strict=True)]
    with torch.no_grad():
        return teacher(torch.stack(pixels))  # type: ignore[no-any-return]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("convention", rules.CONVENTIONS)
def test_an_epoch_equals_a_naive_loop(convention: str, smoothing: float) -> None:
    spec = tiny.spec(
        student="tiny:conv_without_dropout",
        convention=convention,
        alpha=0.7,
        temperature=3,
        nesterov=True,
        schedule="constant",
        augment="crop4+flip",
        label_smoothing=smoothing,
    )
    torch.manual_seed(3)
    teacher = tiny.mlp(4, 1).eval()
    run = PlainRun(spec, tiny.inputs(), lambda epoch: live_targets(teacher, spec))
    torch.manual_seed(spec.seed)
    naive = tiny.conv_without_dropout(4, 1)
    assert all(torch.equal(a, b) for a, b in zip(run.student.parameters(), naive.parameters(), strict=True))
    run.step_epoch()
    naive_epoch(spec, naive, teacher, WEIGHTS[convention])
    ours, theirs = run.student.state_dict(), naive.state_dict()
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-4, rtol=1e-4)
