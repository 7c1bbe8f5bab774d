"""Optimizers and learning rates are the textbook's."""

from __future__ import annotations

import math
from typing import Any

import pytest
import tiny
import torch
from torch import nn

from kd_trainable import rules
from kd_trainable.engine import optim
from kd_trainable.engine.optim import learning_rate, load_optimizer_tensors, make_optimizer, optimizer_tensors


def test_tables_of_the_engine_hold_the_names_that_a_spec_may_say() -> None:
    assert tuple(optim.OPTIMIZERS) == rules.OPTIMIZERS
    assert tuple(optim.SCHEDULES) == rules.SCHEDULES


def smooth(layout: torch.memory_format) -> nn.Module:
    """No batch norm: a bias before one has no gradient but rounding errors, which Adam would make large."""
    torch.manual_seed(0)
    first, second, third = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 8, 3, stride=2, bias=False), nn.Conv2d(8, 4, 1)
    network = nn.Sequential(first, nn.Tanh(), second, nn.Tanh(), third, nn.Flatten(), nn.Linear(16, 4))
    return network.to(memory_format=layout)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("changes", tiny.OPTIMIZERS)
def test_fused_optimizers_equal_plain_ones(changes: dict[str, Any], layout: torch.memory_format) -> None:
    """Also when their state was saved and loaded on the way: fused kernels walk memory, whatever the strides say."""
    spec = tiny.spec(**changes)
    networks = [smooth(layout), smooth(layout)]
    ours, theirs = (
        make(spec, net.parameters()) for make, net in zip((make_optimizer, tiny.unfused), networks, strict=True)
    )
    for step in range(6):
        images = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        for network, optimizer in zip(networks, (ours, theirs), strict=True):
            optimizer.zero_grad()
            network(images).square().mean().backward()
            optimizer.step()
        if step == 2:
            state = {k: v.contiguous().clone() for k, v in optimizer_tensors(ours).items()}
            ours = make_optimizer(spec, networks[0].parameters())
            load_optimizer_tensors(ours, state)
    for found, wanted in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("schedule", ["multistep", "cosine"])
def test_learning_rate_is_torchs(schedule: str) -> None:
    spec = tiny.spec(schedule=schedule, milestones=[2, 5] if schedule == "multistep" else [], gamma=0.3, epochs=8)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=spec.lr)
    torchs: Any = (
        torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 5], gamma=0.3)
        if schedule == "multistep"
        else torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8)
    )
    for epoch in range(8):
        for step in range(3):
            assert learning_rate(spec, epoch, step, 3) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        torchs.step()


def test_warm_up_is_linear_and_the_schedule_follows() -> None:
    spec = tiny.spec(schedule="cosine", warmup_epochs=2, epochs=6, lr=1.0)
    warm = [learning_rate(spec, epoch, step, 5) for epoch in range(2) for step in range(5)]
    assert warm == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert [learning_rate(spec, e, 0, 5) for e in range(2, 6)] == pytest.approx(
        [0.5 + 0.5 * math.cos(math.pi * e / 4) for e in range(4)]
    )
    assert learning_rate(tiny.spec(schedule="constant", lr=0.7), 2, 4, 5) == 0.7
