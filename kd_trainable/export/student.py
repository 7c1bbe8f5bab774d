"""A finished run as what is exported: its network in eval mode, what it takes, and the same network on plain pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from kd_trainable.data import DATASETS
from kd_trainable.data.images import ImageData
from kd_trainable.models.build import build
from kd_trainable.spec import RunSpec
from kd_trainable.vocabulary import InputError


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished run: its spec, its result (result.json) and its weights (a safetensors file)."""

    spec_id: str
    spec: RunSpec
    result: Mapping[str, Any]
    weights: bytes


class Sees(NamedTuple):
    """What a student takes, images of (C, H, W) normalised by mean and std, and how many classes it gives."""

    shape: tuple[int, int, int]
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


def sees(trained: Trained, data: ImageData | None) -> Sees:
    """As the run recorded it; for a run of an earlier version as its data set says.

    Raises InputError where only the data could tell, and is not at hand.
    """
    name, normalization = trained.spec.dataset, trained.spec.normalization
    if recorded := trained.result.get("sees"):
        return Sees(tuple(recorded["shape"]), recorded["classes"], tuple(recorded["mean"]), tuple(recorded["std"]))
    if data is not None:
        return Sees(data.shape, len(data.classes), *data.normalizations[normalization])
    entry = DATASETS.get(name)
    if entry is None or normalization not in entry.normalizations:
        raise InputError(f"dataset: {name} is not at hand, which alone says how its pixels are normalised: --data-dir")
    return Sees(entry.shape, entry.classes, *entry.normalizations[normalization])


def network(trained: Trained, takes: Sees) -> nn.Module:
    """The trained student on the CPU, in eval mode. Raises InputError for weights that are damaged or another's."""
    name = trained.spec.student
    module = build(name, takes.classes, takes.shape[0], "student")
    try:
        tensors = load_safetensors(trained.weights)
    except SafetensorError as error:
        raise InputError(f"run: {trained.spec_id}: its weights are damaged ({error})") from None
    wanted = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    given = {key: tuple(value.shape) for key, value in tensors.items()}
    for key in (*wanted, *given):
        if wanted.get(key) != given.get(key):
            here, there = given.get(key, "missing"), wanted.get(key, "none")
            raise InputError(f"run: {trained.spec_id}: the weights are not a {name}'s: {key} is {here}, not {there}")
    module.load_state_dict(tensors)
    return module.requires_grad_(False).eval()


class OnPixels(nn.Module):
    """A network that normalises by itself: float32 pixels in [0, 1] -> logits.

    It rounds as kd_trainable.data.views.normalise does, so that it says what the student said.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, takes: Sees) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(takes.mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(takes.std).view(1, -1, 1, 1))

    def forward(self, pixels: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        logits: Tensor = self.network((pixels - self.mean) / self.std)
        return logits
