"""From a network's name to the network."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from typing import Any

from torch import nn

from kd_trainable.models import MODELS
from kd_trainable.vocabulary import InputError, require_known

_ALLOWED = "a callable that returns a torch.nn.Module, as package.module:callable"


def build(name: str, num_classes: int, in_channels: int) -> nn.Module:
    """The network ``name``: a line of the table or anyone's own ``package.module:callable``, [B, C, H, W] -> [B, K].

    The builder is given whichever of ``num_classes`` and ``in_channels`` it accepts. Raises InputError, in one
    line, for a name that leads nowhere and for a builder that gives no network.
    """
    if ":" not in name:
        require_known("model", name, MODELS, also=", or package.module:callable")
    builder = _find(MODELS[name].target if name in MODELS else name)
    network = _call(builder, name, {"num_classes": num_classes, "in_channels": in_channels})
    if not isinstance(network, nn.Module):
        raise InputError(f"model: {name!r} returned {type(network).__name__}; allowed: {_ALLOWED}")
    return network


def count_parameters(module: nn.Module) -> int:
    """How many trainable numbers a network has."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def _find(target: str) -> Callable[..., Any]:
    path, _, attribute = target.partition(":")
    try:
        found = getattr(importlib.import_module(path), attribute, None)
    except Exception as error:  # whatever a person's own module raises while it is imported
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise InputError(f"model: {target!r}: cannot import {path!r} ({reason}); allowed: {_ALLOWED}") from error
    if found is None:
        raise InputError(f"model: {target!r}: module {path!r} has no {attribute!r}; allowed: {_ALLOWED}")
    if not callable(found):
        raise InputError(f"model: {target!r} is {type(found).__name__}, not callable; allowed: {_ALLOWED}")
    return found


def _call(builder: Callable[..., Any], name: str, offered: dict[str, int]) -> Any:
    try:
        signature = inspect.signature(builder)
        takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values())
        given = {key: value for key, value in offered.items() if takes_any or key in signature.parameters}
        signature.bind(**given)
    except (TypeError, ValueError) as error:  # ValueError: a builtin that does not say what it takes
        words = " and ".join(offered)
        raise InputError(f"model: {name!r} cannot be called with {words}: {error}; allowed: {_ALLOWED}") from error
    return _call_open(builder, given) if takes_any else builder(**given)


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
