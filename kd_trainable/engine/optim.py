"""Optimizers by name, and the learning rate as a pure function of the step: nothing to checkpoint, nothing to drift."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from kd_trainable.spec import RunSpec

Parameters = Iterable[nn.Parameter]


def make_optimizer(spec: RunSpec, parameters: Parameters) -> torch.optim.Optimizer:
    """The spec's optimizer; every parameter decays, as in the source documents."""
    return OPTIMIZERS[spec.optimizer](spec, parameters)


def _sgd(spec: RunSpec, parameters: Parameters) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        parameters,
        lr=spec.lr,
        momentum=spec.momentum,
        nesterov=spec.nesterov,
        weight_decay=spec.weight_decay,
        fused=True,
    )


def _adam(spec: RunSpec, parameters: Parameters) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=spec.lr, weight_decay=spec.weight_decay, fused=True)


def _adamw(spec: RunSpec, parameters: Parameters) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=spec.lr, weight_decay=spec.weight_decay, fused=True)


OPTIMIZERS: dict[str, Callable[[RunSpec, Parameters], torch.optim.Optimizer]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
}


def learning_rate(spec: RunSpec, epoch: int, step: int, steps: int) -> float:
    """The rate at ``step`` of ``steps`` in ``epoch``, all from 0.

    Warm-up is linear, step by step, and reaches ``lr`` at its last step; after it the schedules move once an epoch,
    as torch's MultiStepLR and CosineAnnealingLR do when stepped at epoch ends. Cosine spans the epochs after warm-up.
    """
    if epoch < spec.warmup_epochs:
        return spec.lr * (epoch * steps + step + 1) / (spec.warmup_epochs * steps)
    return spec.lr * SCHEDULES[spec.schedule](spec, epoch)


SCHEDULES: dict[str, Callable[[RunSpec, int], float]] = {
    "constant": lambda spec, epoch: 1.0,
    "multistep": lambda spec, epoch: spec.gamma ** sum(epoch >= m for m in spec.milestones),
    "cosine": lambda spec, epoch: (
        0.5 + 0.5 * math.cos(math.pi * (epoch - spec.warmup_epochs) / (spec.epochs - spec.warmup_epochs))
    ),
}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as named tensors, ``<parameter index>.<name>``."""
    state = optimizer.state_dict()["state"]
    return {f"{i}.{name}": v for i, slots in state.items() for name, v in slots.items() if v is not None}


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
