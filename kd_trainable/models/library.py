"""torchvision's classifiers: any of them by name as ``torchvision:NAME``, and what changes them for 32 pixels."""

from __future__ import annotations

from typing import Any

import torchvision.models
from torch import nn

from kd_trainable.resolve import TORCHVISION
from kd_trainable.vocabulary import InputError, nearest

# Without auxiliary heads, whose logits would be a second output. init_weights=True is what torchvision does unasked,
# with a warning that it will not for ever.
_NO_AUX = {"aux_logits": False, "init_weights": True}
_OPTIONS: dict[str, dict[str, bool]] = {"googlenet": _NO_AUX, "inception_v3": _NO_AUX}


def require_classifier(field: str, name: str) -> None:
    """Raises InputError, with the nearest one, unless ``torchvision:NAME`` is a classifier of torchvision."""
    known, plain = torchvision.models.list_models(module=torchvision.models), name.removeprefix(TORCHVISION)
    if plain not in known:
        close = nearest(plain, known).replace("'", f"'{TORCHVISION}", 1)
        listed = f"{TORCHVISION}NAME, of torchvision.models.list_models(module=torchvision.models)"
        raise InputError(f"{field}: {name!r} is no classifier of torchvision{close}; allowed: {listed}")


def classifier(field: str, name: str, num_classes: int, in_channels: int) -> nn.Module:
    """The classifier ``torchvision:NAME`` as torchvision has it, [B, 3, H, W] -> [B, K]; its own dropout included.

    Raises InputError for an unknown name, and for images that have not 3 channels.
    """
    require_classifier(field, name)
    if in_channels != 3:
        raise InputError(
            f"{field}: {name} takes images of 3 channels; these have {in_channels}: choose another network"
        )
    plain = name.removeprefix(TORCHVISION)
    network: nn.Module = torchvision.models.get_model(plain, num_classes=num_classes, **_OPTIONS.get(plain, {}))
    return network


def default_weights(name: str) -> Any:
    """torchvision's DEFAULT weights of the classifier ``torchvision:NAME``: a member of its WeightsEnum."""
    return torchvision.models.get_model_weights(name.removeprefix(TORCHVISION)).DEFAULT


def small_stem(stem: nn.Conv2d, in_channels: int) -> nn.Conv2d:
    """``stem`` at stride 1 and padded to keep the image's size; for other than 3 channels a new one of that kind."""
    size = int(stem.kernel_size[0])
    if in_channels != stem.in_channels:
        stem = nn.Conv2d(in_channels, stem.out_channels, size, bias=stem.bias is not None)
    stem.stride, stem.padding = (1, 1), (size // 2, size // 2)
    return stem
