"""A field's value as the one type that the field has, so that 1 and 1.0, a list and a tuple, hash alike. No torch."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

from kd_trainable.rules import FLOATS, INTEGERS
from kd_trainable.vocabulary import InputError

SCHEDULABLE = ("temperature", "alpha")
BOOLEANS = (
    "nesterov", "fresh_optimizer", "pretrained", "no_bias_decay", "linear_scaling", "zero_gamma",
)  # fmt: skip
LISTS = ("milestones", "taps")


def typed(name: str, value: Any) -> Any:
    """``value`` as the one type that field has, so that 1 and 1.0, a list and a tuple, hash alike."""
    try:
        if name in SCHEDULABLE and isinstance(value, list | tuple):
            return tuple((_integer(e), _number(v)) for e, v in value)
        if name in FLOATS:
            return _number(value)
        if name in INTEGERS:
            return _integer(value)
        if name == "milestones":
            return tuple(_integer(v) for v in ([value] if isinstance(value, str) else value))
        if name == "taps":
            return tuple(str(v) for v in ([value] if isinstance(value, str) else value))
        if name == "hyperparameters":
            return {str(k): _number(v) for k, v in sorted(dict(value).items())}
        if name in BOOLEANS:
            return _boolean(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name}: {value!r} is not allowed; must be {_kind(name)}") from None
    return str(value)


def _kind(name: str) -> str:
    """In words, what a field holds."""
    if name in SCHEDULABLE:
        return "a number, or a schedule [[0, value], [epoch, value], ...]"
    kinds = {"milestones": "whole numbers", "taps": "module paths", "hyperparameters": "a mapping of names to numbers"}
    kinds |= dict.fromkeys(BOOLEANS, "true or false")
    return kinds.get(name, "a whole number" if name in INTEGERS else "a number")


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError(value)
    return float(value) + 0.0  # -0.0 is 0.0


def _integer(value: Any) -> int:
    if isinstance(value, str):
        return int(value)
    whole = int(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or whole != value:
        raise ValueError(value)
    return whole


def _boolean(value: Any) -> bool:
    if str(value).lower() not in ("true", "false"):  # numpy's and JSON's too
        raise ValueError(value)
    return str(value).lower() == "true"


def plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [plain(v) for v in value]
    return dict(value) if isinstance(value, Mapping) else value
