"""A network's logits and features in one forward: any module is tapped by its path, and none is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from kd_trainable.taps import INPUT
from kd_trainable.vocabulary import InputError, Outputs, nearest


def outputs(
    network: nn.Module, pixels: Float[Tensor, "B C H W"], taps: Sequence[str] = (), name: str = "the network"
) -> Outputs:
    """The logits, and the features at ``taps`` by their paths; the hooks are gone when it returns.

    ``name``: what errors call the network. Raises InputError for a path that is no submodule's, or whose submodule
    gives no tensor.
    """
    found: dict[str, Tensor] = {}
    with ExitStack() as hooks:
        for tap in taps:
            module = submodule(network, tap, name)
            if tap.endswith(INPUT):
                hook = module.register_forward_pre_hook(_keeps_input(found, tap))
            else:
                hook = module.register_forward_hook(_keeps_output(found, tap))
            hooks.callback(hook.remove)
        logits = network(pixels)
    for tap in taps:
        if not isinstance(found.get(tap), Tensor):
            raise InputError(f"taps: {tap!r} gives no tensor in a forward of {name}; choose another")
    return Outputs(logits, {tap: found[tap] for tap in taps})


def submodule(network: nn.Module, tap: str, name: str = "the network") -> nn.Module:
    """The module that a tap names. Raises InputError, with the nearest one, where there is none."""
    path = tap.removesuffix(INPUT)
    try:
        return network.get_submodule(path)
    except AttributeError:
        known = dict(network.named_modules())
        first = ", ".join(own for own in known if own and "." not in own)
        raise InputError(
            f"taps: {tap!r} is no module of {name}{nearest(path, known)}; it begins with: {first}"
        ) from None


def _keeps_output(found: dict[str, Tensor], tap: str) -> Callable[..., None]:
    def hook(module: nn.Module, given: Any, result: Any) -> None:
        # cloned, since a ReLU in place that comes next would overwrite what a module gave
        found[tap] = result.clone() if isinstance(result, Tensor) else result

    return hook


def _keeps_input(found: dict[str, Tensor], tap: str) -> Callable[..., None]:
    def hook(module: nn.Module, given: Any) -> None:
        # cloned, since a ReLU in place would overwrite what it was given
        found[tap] = given[0].clone() if given and isinstance(given[0], Tensor) else given

    return hook
