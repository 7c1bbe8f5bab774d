"""Schedulers by name: who may end a run early. Each a few lines in the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

from kd_trainable.vocabulary import InputError


def _none(metric: str, epochs: int) -> Any:
    return FIFOScheduler()


def _asha(metric: str, epochs: int) -> Any:
    """Successive halving: rungs at grace, 3 x grace, ...; the lower two thirds of a rung stop there."""
    if epochs < 2:
        raise InputError(f"scheduler: asha needs epochs >= 2 to stop anything; epochs is {epochs}")
    grace = max(1, epochs // 9)
    return ASHAScheduler(
        time_attr="epoch", metric=metric, mode="max", max_t=epochs, grace_period=grace, reduction_factor=3
    )


SCHEDULERS: dict[str, Callable[[str, int], Any]] = {"none": _none, "asha": _asha}
