"""From a network's name to the network."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from kd_trainable.models import MODELS
from kd_trainable.resolve import TORCHVISION, accepted, require_returned, resolve, takes_any

_KIND = "a callable that returns a torch.nn.Module"


def build(name: str, num_classes: int, in_channels: int, field: str = "model") -> nn.Module:
    """The network ``name``, [B, C, H, W] -> [B, K].

    A line of the table, torchvision's classifier as ``torchvision:NAME``, or anyone's own ``package.module:callable``.
    The builder is given whichever of ``num_classes`` and ``in_channels`` it accepts. Raises InputError, in one
    line that names ``field``, for a name that leads nowhere and for a builder that gives no network.
    """
    if name.startswith(TORCHVISION):
        from kd_trainable.models.library import classifier  # importing torchvision takes a second

        return classifier(field, name, num_classes, in_channels)
    builder = resolve(field, name, MODELS, _KIND)
    given = accepted(field, name, builder, {"num_classes": num_classes, "in_channels": in_channels}, _KIND)
    network = _call_open(builder, given) if takes_any(builder) else builder(**given)
    require_returned(field, name, network, nn.Module, _KIND)
    return network


def skeleton(name: str, num_classes: int, in_channels: int, field: str = "model") -> nn.Module:
    """``build`` on the meta device, without memory; for real where a builder reads a tensor's values.

    timm's drop paths and torchvision's regnets are such.
    """
    try:
        with torch.device("meta"):
            return build(name, num_classes, in_channels, field)
    except (RuntimeError, NotImplementedError):
        return build(name, num_classes, in_channels, field)


def count_parameters(module: nn.Module) -> int:
    """How many trainable numbers a network has."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def _call_open(builder: Callable[..., Any], given: dict[str, int]) -> Any:
    """Calls a builder whose ``**kwargs`` hide what it takes, less the keyword that turns out to be refused.

    torchvision's classifiers are such: they pass everything on to a class that knows num_classes alone.
    """
    try:
        return builder(**given)
    except TypeError as error:
        refused = re.search(r"unexpected keyword argument '(num_classes|in_channels)'", str(error))
        if refused is None or refused[1] not in given:
            raise
        return _call_open(builder, {key: value for key, value in given.items() if key != refused[1]})
