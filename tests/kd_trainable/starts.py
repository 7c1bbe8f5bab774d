"""What the tests of how a network starts share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kd_trainable.models import MODELS
from kd_trainable.models.build import build
from kd_trainable.models.start import start
from kd_trainable.vocabulary import InputError


def started(name: str, classes: int = 10, **how: Any) -> nn.Module:
    torch.manual_seed(0)
    module = build(name, classes, MODELS[name].shape[0] if name in MODELS else 3)
    start(module, name, **how)
    return module


def tensors(module: nn.Module) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in module.state_dict().items()}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[key]) for key, value in one.items())


def refused(do: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        do()
    assert "\n" not in str(caught.value)
    return str(caught.value)
