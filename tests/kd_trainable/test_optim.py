"""Optimizers and learning rates are the textbook's."""

from __future__ import annotations

import math
from typing import Any

import pytest
import tiny
import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler

from kd_trainable import rules
from kd_trainable.engine import optim
from kd_trainable.engine.optim import learning_rate, load_optimizer_tensors, make_optimizer, optimizer_tensors

ADADELTA: dict[str, Any] = {"optimizer": "adadelta", "lr": 1.0}
EVERY_OPTIMIZER = [*tiny.OPTIMIZERS, ADADELTA]


def test_tables_of_the_engine_hold_the_names_that_a_spec_may_say() -> None:
    assert tuple(optim.OPTIMIZERS) == rules.OPTIMIZERS
    assert tuple(optim.SCHEDULES) == rules.SCHEDULES
    assert tuple(optim.SIGNS) == rules.MONITORS


def smooth(layout: torch.memory_format = torch.contiguous_format) -> nn.Module:
    """No batch norm: a bias before one has no gradient but rounding errors, which Adam would make large."""
    torch.manual_seed(0)
    first, second, third = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 8, 3, stride=2, bias=False), nn.Conv2d(8, 4, 1)
    network = nn.Sequential(first, nn.Tanh(), second, nn.Tanh(), third, nn.Flatten(), nn.Linear(16, 4))
    return network.to(memory_format=layout)  # type: ignore[call-overload,no-any-return]


def train_step(optimizer: torch.optim.Optimizer, *modules: nn.Module, step: int) -> None:
    outputs: Tensor = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(step))
    optimizer.zero_grad()
    for module in modules:
        outputs = module(outputs)
    outputs.square().mean().backward()
    optimizer.step()


# Optimizers.


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("changes", tiny.OPTIMIZERS)
def test_fused_optimizers_equal_plain_ones(changes: dict[str, Any], layout: torch.memory_format) -> None:
    """Also when their state was saved and loaded on the way: fused kernels walk memory, whatever the strides say."""
    spec = tiny.spec(**changes)
    our_network, their_network = smooth(layout), smooth(layout)
    ours, theirs = make_optimizer(spec, [our_network]), tiny.unfused(spec, their_network.parameters())
    for step in range(6):
        train_step(ours, our_network, step=step)
        train_step(theirs, their_network, step=step)
        if step == 2:
            state = {k: v.contiguous().clone() for k, v in optimizer_tensors(ours).items()}
            ours = make_optimizer(spec, [our_network])
            load_optimizer_tensors(ours, state)
    for found, wanted in zip(our_network.parameters(), their_network.parameters(), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5)


def test_adadelta_is_zeilers() -> None:
    """Algorithm 1 of arXiv:1212.5701, times the rate; eps = 1e-6; weight decay is added to the gradient."""
    spec = tiny.spec(optimizer="adadelta", lr=0.5, rho=0.8, weight_decay=0.01)
    layer = nn.Linear(1, 1, bias=False).double()
    optimizer = make_optimizer(spec, [layer])
    x, squares, updates = layer.weight.item(), 0.0, 0.0
    for given in (3.0, -0.2, 1e-3, 0.7):
        layer.weight.grad = torch.full((1, 1), given, dtype=torch.float64)
        optimizer.step()
        gradient = given + 0.01 * x
        squares = 0.8 * squares + 0.2 * gradient**2
        update = -math.sqrt(updates + 1e-6) / math.sqrt(squares + 1e-6) * gradient
        updates = 0.8 * updates + 0.2 * update**2
        x += 0.5 * update
        assert layer.weight.item() == pytest.approx(x, rel=1e-12)


def test_parameters_stay_in_the_order_of_the_modules() -> None:
    """Checkpoints say whose state it is by its place alone."""
    student, adapter = smooth(), nn.Linear(4, 2)
    parameters = [*student.parameters(), *adapter.parameters()]
    (only,) = make_optimizer(tiny.spec(), [student, adapter]).param_groups
    assert [id(p) for p in only["params"]] == [id(p) for p in parameters]
    weights, others = make_optimizer(tiny.spec(no_bias_decay=True), [student, adapter]).param_groups
    assert [id(p) for p in weights["params"]] == [id(p) for p in parameters if p.ndim > 1]
    assert [id(p) for p in others["params"]] == [id(p) for p in parameters if p.ndim == 1]


@pytest.mark.parametrize("no_bias_decay", [True, False])
@pytest.mark.parametrize("changes", EVERY_OPTIMIZER)
def test_no_bias_decay_spares_biases_and_norms(changes: dict[str, Any], no_bias_decay: bool) -> None:
    """Without a gradient only decay moves a parameter."""
    network = tiny.conv(4, 1)
    optimizer = make_optimizer(tiny.spec(**changes, no_bias_decay=no_bias_decay, weight_decay=0.1), [network])
    for parameter in network.parameters():
        parameter.data.fill_(1.0)
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    decayed = {name for name, parameter in network.named_parameters() if bool((parameter < 1).all())}
    weights = {"0.weight", "3.weight", "7.weight", "10.weight"}  # 1 and 4 are norms
    assert decayed == (weights if no_bias_decay else {name for name, _ in network.named_parameters()})


def test_no_bias_decay_of_a_network_without_biases() -> None:
    (only,) = make_optimizer(tiny.spec(no_bias_decay=True), [nn.Linear(3, 2, bias=False)]).param_groups
    assert only["weight_decay"] == tiny.spec().weight_decay


@pytest.mark.parametrize("no_bias_decay", [True, False])
@pytest.mark.parametrize("changes", EVERY_OPTIMIZER)
def test_an_optimizer_goes_on_from_its_tensors(changes: dict[str, Any], no_bias_decay: bool) -> None:
    """Bit for bit, in a new optimizer, with an adapter beside the student."""
    spec = tiny.spec(**changes, no_bias_decay=no_bias_decay)
    kept, resumed = ([smooth(), nn.Linear(4, 2)] for _ in range(2))
    resumed[1].load_state_dict(kept[1].state_dict())
    for modules in (kept, resumed):
        optimizer = make_optimizer(spec, modules)
        for step in range(4):
            if step == 2 and modules is resumed:
                state = {name: tensor.clone() for name, tensor in optimizer_tensors(optimizer).items()}
                optimizer = make_optimizer(spec, modules)
                load_optimizer_tensors(optimizer, state)
            train_step(optimizer, *modules, step=step)
    for one, other in zip(nn.ModuleList(kept).parameters(), nn.ModuleList(resumed).parameters(), strict=True):
        assert torch.equal(one, other)


# Rates.


@pytest.mark.parametrize(("schedule", "given"), [("multistep", {"milestones": [2, 5]}), ("cosine", {}), ("step", {})])
def test_learning_rate_is_torchs(schedule: str, given: dict[str, Any]) -> None:
    spec = tiny.spec(schedule=schedule, step_epochs=3, gamma=0.3, epochs=8, **given)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=spec.lr)
    torchs: Any = {
        "multistep": lambda: lr_scheduler.MultiStepLR(optimizer, [2, 5], gamma=0.3),
        "cosine": lambda: lr_scheduler.CosineAnnealingLR(optimizer, T_max=8),
        "step": lambda: lr_scheduler.StepLR(optimizer, 3, gamma=0.3),
    }[schedule]()
    for epoch in range(8):
        for step in range(3):
            assert learning_rate(spec, epoch, step, 3) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        torchs.step()


@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (2, 1), (3, 1), (1, 4), (5, 1), (10, 1), (3, 7), (30, 11)])
def test_one_cycle_is_torchs_at_every_step(epochs: int, steps: int) -> None:
    spec = tiny.spec(schedule="one_cycle", epochs=epochs, lr=0.3)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=spec.lr)
    torchs = lr_scheduler.OneCycleLR(optimizer, 0.3, total_steps=epochs * steps, cycle_momentum=False)
    for now in range(epochs * steps):
        wanted = optimizer.param_groups[0]["lr"]
        assert learning_rate(spec, now // steps, now % steps, steps) == pytest.approx(wanted, rel=1e-9)
        optimizer.step()
        torchs.step()


@pytest.mark.parametrize(
    ("changes", "epoch", "rate"),
    [
        ({"schedule": "cosine"}, 11, "0x1.2019839ce055ep-4"),
        ({"schedule": "cosine", "warmup_epochs": 5}, 2, "0x1.a54d880bb3ee7p-5"),
        ({"schedule": "cosine", "warmup_epochs": 5}, 17, "0x1.b351a9c6341f4p-5"),
        ({"schedule": "multistep", "milestones": [10, 20]}, 25, "0x1.0624dd2f1a9fdp-8"),
        ({"schedule": "constant"}, 3, "0x1.999999999999ap-4"),
    ],
)
def test_rates_of_kept_runs_are_bit_for_bit_what_they_were(changes: dict[str, Any], epoch: int, rate: str) -> None:
    """As commit c81f5b8 gave them, at step 3 of 7."""
    assert learning_rate(tiny.spec(lr=0.1, epochs=30, gamma=0.2, **changes), epoch, 3, 7).hex() == rate


def test_warm_up_is_linear_and_the_schedule_follows() -> None:
    spec = tiny.spec(schedule="cosine", warmup_epochs=2, epochs=6, lr=1.0)
    warm = [learning_rate(spec, epoch, step, 5) for epoch in range(2) for step in range(5)]
    assert warm == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert [learning_rate(spec, e, 0, 5) for e in range(2, 6)] == pytest.approx(
        [0.5 + 0.5 * math.cos(math.pi * e / 4) for e in range(4)]
    )
    assert learning_rate(tiny.spec(schedule="constant", lr=0.7), 2, 4, 5) == 0.7


@pytest.mark.parametrize(
    "given", [{"schedule": "cosine", "warmup_epochs": 1}, {"schedule": "one_cycle"}, {"schedule": "step"}]
)
def test_linear_scaling_multiplies_every_rate_by_the_batch_over_256(given: dict[str, Any]) -> None:
    """Goyal et al. 2017, arXiv:1706.02677: lr is for 256 images."""
    plain, scaled = (tiny.spec(**given, batch_size=64, linear_scaling=flag) for flag in (False, True))
    assert optim.peak_rate(scaled) == plain.lr / 4
    assert make_optimizer(scaled, [nn.Linear(1, 1)]).param_groups[0]["lr"] == plain.lr / 4
    for epoch in range(3):
        assert learning_rate(scaled, epoch, 1, 3) == pytest.approx(learning_rate(plain, epoch, 1, 3) / 4, rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "anew"),
    [
        ({"schedule": "multistep", "milestones": [2, 5]}, [2, 5]),
        ({"schedule": "step", "step_epochs": 3}, [3, 6, 9]),
        ({"schedule": "step", "step_epochs": 1, "gamma": 1.0}, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ({"schedule": "cosine"}, []),
    ],
)
def test_a_fresh_optimizer_comes_where_the_rate_is_lowered(changes: dict[str, Any], anew: list[int]) -> None:
    for flag, wanted in ((True, anew), (False, [])):
        spec = tiny.spec(**changes, epochs=10, fresh_optimizer=flag)
        assert [epoch for epoch in range(10) if optim.makes_anew(spec, epoch)] == wanted
