"""Optimizers by name, and the learning rate as a pure function of the step and of the epochs before it: nothing to
checkpoint, nothing to drift. What a run looks at to slow down, or to end early, is here too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from kd_trainable.rules import SCALED_BATCH
from kd_trainable.spec import RunSpec

Groups = list[Any]  # parameters, or torch's parameter groups
History = Sequence[Mapping[str, Any]]  # the rows of the epochs before (records.EPOCH_COLUMNS)

MIN_DELTA = 1e-4  # what Keras and torch ask of a better epoch by default, before they lower the rate
SIGNS = {"accuracy": 1.0, "loss": -1.0}  # so that larger is better
CYCLE_RISE, CYCLE_START, CYCLE_END = 0.3, 25.0, 1e4  # torch's pct_start, div_factor, final_div_factor


def make_optimizer(spec: RunSpec, modules: Sequence[nn.Module]) -> torch.optim.Optimizer:
    """The spec's optimizer over the parameters of ``modules``, in their order; all decay, as in the source documents.

    With ``no_bias_decay`` there are two groups, weights first: the parameters of at most one dimension, which are the
    biases and the norms' scales and shifts, do not decay (He et al. 2019, arXiv:1812.01187, section 3.1).
    """
    return OPTIMIZERS[spec.optimizer](spec, _groups(spec, modules))


def _groups(spec: RunSpec, modules: Sequence[nn.Module]) -> Groups:
    parameters = [parameter for module in modules for parameter in module.parameters()]
    if not spec.no_bias_decay:
        return parameters
    weights = {"params": [p for p in parameters if p.ndim > 1]}
    others = {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0}
    return [group for group in (weights, others) if group["params"]]


def _sgd(spec: RunSpec, groups: Groups) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        groups,
        lr=peak_rate(spec),
        momentum=spec.momentum,
        nesterov=spec.nesterov,
        weight_decay=spec.weight_decay,
        fused=True,
    )


def _adam(spec: RunSpec, groups: Groups) -> torch.optim.Optimizer:
    return torch.optim.Adam(groups, lr=peak_rate(spec), weight_decay=spec.weight_decay, fused=True)


def _adamw(spec: RunSpec, groups: Groups) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, lr=peak_rate(spec), weight_decay=spec.weight_decay, fused=True)


def _adadelta(spec: RunSpec, groups: Groups) -> torch.optim.Optimizer:
    """Zeiler 2012, arXiv:1212.5701, whose rate is 1, with torch's eps, 1e-6. Keras 3 has eps 1e-7, and rho 0.95."""
    return torch.optim.Adadelta(groups, lr=peak_rate(spec), rho=spec.rho, eps=1e-6, weight_decay=spec.weight_decay)


OPTIMIZERS: dict[str, Callable[[RunSpec, Groups], torch.optim.Optimizer]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
    "adadelta": _adadelta,
}


def peak_rate(spec: RunSpec) -> float:
    """The rate that warm-up reaches and schedules start from: ``lr``, or lr x batch_size / 256 under linear_scaling.

    Goyal et al. 2017, arXiv:1706.02677; He et al. 2019, arXiv:1812.01187, section 3.1.
    """
    return spec.lr * spec.batch_size / SCALED_BATCH if spec.linear_scaling else spec.lr


def learning_rate(spec: RunSpec, epoch: int, step: int, steps: int, history: History = ()) -> float:
    """The rate at ``step`` of ``steps`` in ``epoch``, all from 0; ``history``, the rows of all epochs before it, is
    what plateau looks at.

    Warm-up is linear, step by step, and reaches the peak rate at its last step. After it one_cycle moves at every
    step and the others once an epoch, as torch's schedulers of those names do when stepped there. Epochs are counted
    from the run's start by multistep and step, and from the end of warm-up by cosine and plateau.
    """
    if epoch < spec.warmup_epochs:
        return peak_rate(spec) * (epoch * steps + step + 1) / (spec.warmup_epochs * steps)
    return peak_rate(spec) * SCHEDULES[spec.schedule](spec, Moment(epoch, step, steps, history))


class Moment(NamedTuple):
    """A step of a run: ``step`` of ``steps`` in ``epoch``, all from 0, and the rows of the epochs before."""

    epoch: int
    step: int
    steps: int
    history: History


def _one_cycle(spec: RunSpec, at: Moment) -> float:
    """Half a cosine up from 1/25 of the peak rate in 30 % of the steps, and half a one down to 1/250,000 of it.

    Smith 2018, arXiv:1803.09820, as torch's OneCycleLR has it by default (Smith moves in straight lines), but that the
    momentum stays as it is: torch moves it against the rate, between 0.95 and 0.85. The top is step 0.3 x steps - 1
    of the run, torch's too, which need not be whole.
    """
    total, now = spec.epochs * at.steps, at.epoch * at.steps + at.step
    top, low = CYCLE_RISE * total - 1, 1 / CYCLE_START
    if now <= top:
        return _half_cosine(low, 1.0, now / top)
    return _half_cosine(1.0, low / CYCLE_END, (now - top) / (total - 1 - top))


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


def _plateau(spec: RunSpec, at: Moment) -> float:
    """x gamma after every ``plateau_patience`` epochs in a row that did not beat the best one by more than 1e-4.

    Keras 3's ReduceLROnPlateau: min_delta is absolute, for losses and accuracies alike. torch's waits one epoch more,
    and its threshold is relative by default: ours is torch's with patience - 1 and threshold_mode="abs".
    """
    if len(at.history) != at.epoch:
        raise ValueError(f"plateau in epoch {at.epoch} needs a row of each epoch before it; {len(at.history)} given")
    best, waited, drops = -math.inf, 0, 0
    for value in (monitored(spec, row) for row in at.history[spec.warmup_epochs :]):
        best, waited = (value, 0) if value > best + MIN_DELTA else (best, waited + 1)
        if waited == spec.plateau_patience:
            drops, waited = drops + 1, 0
    return spec.gamma**drops


# schedule -> how often it has lowered the rate by ``epoch``
DROPS: dict[str, Callable[[RunSpec, int], int]] = {
    "multistep": lambda spec, epoch: sum(epoch >= m for m in spec.milestones),
    "step": lambda spec, epoch: epoch // spec.step_epochs,
}

SCHEDULES: dict[str, Callable[[RunSpec, Moment], float]] = {
    "constant": lambda spec, at: 1.0,
    "multistep": lambda spec, at: spec.gamma ** DROPS["multistep"](spec, at.epoch),
    "step": lambda spec, at: spec.gamma ** DROPS["step"](spec, at.epoch),
    "cosine": lambda spec, at: (
        0.5 + 0.5 * math.cos(math.pi * (at.epoch - spec.warmup_epochs) / (spec.epochs - spec.warmup_epochs))
    ),
    "one_cycle": _one_cycle,
    "plateau": _plateau,
}


def makes_anew(spec: RunSpec, epoch: int) -> bool:
    """Whether ``epoch`` starts with a new optimizer: under fresh_optimizer, where multistep or step lowers the rate."""
    drops = DROPS.get(spec.schedule)
    return spec.fresh_optimizer and drops is not None and epoch > 0 and drops(spec, epoch) > drops(spec, epoch - 1)


def monitored(spec: RunSpec, row: Mapping[str, Any]) -> float:
    """What ``patience`` and plateau look at in an epoch's row; larger is better: the accuracy, or the negated loss.

    Of the held-out images under protocol holdout. Under published, which holds none out, of the test images, as the
    source documents did: biased, since the test set then chooses the run's rate or its end. NaN is worse than all.
    """
    part = "test" if spec.protocol == "published" else "validation"
    value = SIGNS[spec.monitor] * row[f"{part}_{spec.monitor}"]
    return -math.inf if math.isnan(value) else value


def out_of_patience(spec: RunSpec, history: History) -> bool:
    """Whether the last ``patience`` epochs brought nothing better to monitor, however little; 0 never is.

    As Keras 3's EarlyStopping, whose min_delta is 0 by default.
    """
    if not spec.patience or len(history) <= spec.patience:
        return False
    seen = [monitored(spec, row) for row in history]
    return max(seen[-spec.patience :]) <= max(seen[: -spec.patience])


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as named tensors, ``<parameter index>.<name>``, parameters counted group after group."""
    state = optimizer.state_dict()["state"]
    return {f"{i}.{name}": v for i, slots in state.items() for name, v in slots.items() if v is not None}


def require_optimizer_tensors(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Raises ValueError where they cannot be this optimizer's: of no parameter of its, or of another one's shape."""
    shapes = [p.shape for group in optimizer.param_groups for p in group["params"]]
    for key, value in tensors.items():
        index = key.partition(".")[0]
        if not index.isdigit() or int(index) >= len(shapes) or (value.dim() and value.shape != shapes[int(index)]):
            raise ValueError(f"{key} of its optimizer is not this run's")


def load_optimizer_tensors(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of ``optimizer_tensors``, each slot in its parameter's memory layout (fused kernels assume it)."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        parameter = parameters[int(index)]
        same = value.shape == parameter.shape
        state.setdefault(int(index), {})[name] = torch.empty_like(parameter).copy_(value) if same else value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
