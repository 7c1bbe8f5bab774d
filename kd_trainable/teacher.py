"""A frozen teacher: saved with a card, named by its weights, verified before it teaches, shared without a copy."""

from __future__ import annotations

import hashlib
import json
import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn

from kd_trainable.data.inputs import shared_tensor
from kd_trainable.models.build import build, skeleton
from kd_trainable.resolve import require_said
from kd_trainable.vocabulary import InputError

CARD_FORMAT = 1
MOST_CLASSES = 1_000_000  # a network of a card's classes is built before its weights are compared
WRAPPERS = ("state_dict", "model_state_dict", "model", "net")  # keys that training scripts wrap a state_dict in
PREFIXES = ("_orig_mod.", "module.", "_orig_mod.")  # of torch.compile and DataParallel, in either order
JSON_TYPES: dict[str, Any] = {  # of a card's values, by the type that Card says
    "str": str,
    "int": int,
    "float | None": float | int | None,
    "tuple[float, ...]": list,
    "Mapping[str, Any]": dict,
    "Mapping[str, str]": dict,
}
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Card:
    """What is known of a teacher. Accuracies are fractions of 1, None where unknown.

    ``trained_on``: 'holdout' (the training split less the held-out images), 'published' (all training images) or
    'unknown'. ``recipe_id`` names the training run that made it; '' for a foreign one.
    """

    architecture: str
    dataset: str
    data_fingerprint: str
    classes: int
    channels: int
    normalization: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str
    trained_on: str = "unknown"
    validation_accuracy: float | None = None
    test_accuracy: float | None = None
    parameters: int = 0
    recipe: Mapping[str, Any] = field(default_factory=dict)
    recipe_id: str = ""
    sha256: str = ""
    made_with: Mapping[str, str] = field(default_factory=dict)
    card_format: int = CARD_FORMAT

    @property
    def identity(self) -> str:
        """Names what the teacher says of an image: its weights, and the normalisation it sees the pixels in."""
        seen = json.dumps([self.fingerprint, self.mean, self.std])
        return hashlib.sha256(seen.encode()).hexdigest()

    def saw_validation(self) -> str:
        """Whether the teacher trained on the images that ``holdout`` holds out: no, yes or unknown."""
        return {"holdout": "no", "published": "yes"}.get(self.trained_on, "unknown")


@dataclass(frozen=True, eq=False)
class Teacher:
    """A card and the weights it speaks of, as numpy arrays by name."""

    card: Card
    arrays: Arrays


def fingerprint(arrays: Arrays) -> str:
    """sha256 of names, types, shapes and bytes: the same whatever file the weights lay in."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        digest.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def arrays_of(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """A state_dict as contiguous numpy arrays; numbers of any other precision become float32, which teachers run in."""
    whole = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    return {k: np.asarray(v.detach().cpu().numpy(), order="C") for k, v in whole.items()}


def rebuild(card: Card, arrays: Arrays) -> nn.Module:
    """The network, in eval mode, its weights views of ``arrays``: no copy, so nobody may train it.

    Raises InputError when the weights are another architecture's.
    """
    tensors = {k: shared_tensor(v) for k, v in arrays.items()}
    module = _skeleton(card)
    require_fit(module, tensors, card.architecture)
    module.load_state_dict(tensors, assign=True)
    return module.requires_grad_(False).eval()


def _skeleton(card: Card) -> nn.Module:
    """The network on the meta device, without memory; made for real if it keeps tensors outside its state_dict."""
    module = skeleton(card.architecture, card.classes, card.channels)
    plain = [v for part in module.modules() for v in vars(part).values() if isinstance(v, Tensor)]
    named = {name for name, _ in [*module.named_parameters(), *module.named_buffers()]}
    whole = not plain and named <= module.state_dict().keys()
    return module if whole else build(card.architecture, card.classes, card.channels)


def require_fit(module: nn.Module, tensors: Mapping[str, Tensor], architecture: str) -> None:
    """Raises InputError, naming the first difference, unless the weights are this architecture's."""
    wanted = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    given = {k: tuple(v.shape) for k, v in tensors.items()}
    for name in [*wanted, *sorted(given)]:  # a safetensors file gives its names in any order
        if wanted.get(name) != given.get(name):
            here, there = given.get(name, "missing"), wanted.get(name, "none")
            raise InputError(f"teacher: the file's weights are not a {architecture}'s: {name} is {here}, not {there}")


def encode(card: Card, arrays: Arrays) -> tuple[Card, dict[str, bytes]]:
    """The card with its file's sha256, and the files of a teacher's folder by name, in the order to write them."""
    # Copies, since safetensors refuses tied weights, which share memory, and torch warns of read-only arrays.
    content = save_safetensors({k: torch.from_numpy(np.array(v, order="C")) for k, v in arrays.items()})
    card = replace(card, sha256=hashlib.sha256(content).hexdigest())
    text = json.dumps(asdict(card), indent=2) + "\n"
    return card, {"weights.safetensors": content, "card.json": text.encode()}


def decode(weights: bytes, card: Card, path: str | Path) -> Teacher:
    """The teacher that ``encode`` made. Raises InputError unless the bytes are the ones the card speaks of."""
    if hashlib.sha256(weights).hexdigest() != card.sha256:
        raise InputError(f"teacher: {path} is not the file its card speaks of (sha256 differs): cut short or changed")
    arrays = arrays_of(_safetensors(weights, path))
    if fingerprint(arrays) != card.fingerprint:
        raise InputError(f"teacher: {path} has other weights than its card names (fingerprint differs): changed")
    return Teacher(card, arrays)


def load(path: str | Path, model: str | None = None) -> Teacher:
    """A teacher by its folder, its weights file or its card, whose network is ``model`` where that is given.

    Raises InputError for anything else, and for a card that names own code as its network where ``model`` does not:
    a stranger's file must not choose what is imported.
    """
    weights, card_path = files_of(path)
    card = card_of(card_path)
    require_said("teacher", card.architecture, model, str(card_path), "--teacher-model")
    if model not in (None, card.architecture):
        raise InputError(f"teacher_model: {model!r} is not allowed; {card_path} says {card.architecture!r}")
    return decode(_read(weights), card, weights)


def files_of(path: str | Path) -> tuple[Path, Path]:
    """(weights file, card) for a teacher's folder, its weights file or its card."""
    path = Path(path).expanduser()
    folder = path if path.is_dir() else path.parent
    weights = folder / "weights.safetensors" if path.is_dir() or path.suffix == ".json" else path
    if not weights.is_file():
        raise InputError(f"teacher: no such file: {weights}")
    return weights, folder / "card.json"


def card_of(path: Path) -> Card:
    """The card in a file. Raises InputError where there is none."""
    if not path.is_file():
        raise InputError(f"teacher: no card {path}; for a plain state_dict give --teacher-model NAME too")
    return parse_card(_read(path), path)


def parse_card(content: bytes, path: str | Path) -> Card:
    """The card that ``content`` holds. Raises InputError when it is not a card of this format."""
    try:
        values = json.loads(content)
        if (written := values.get("card_format")) == CARD_FORMAT:
            return _card(values)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(f"teacher: {path} is not a teacher's card ({error})") from None
    raise InputError(f"teacher: {path} has card format {written!r}; this version reads {CARD_FORMAT}")


def _card(values: dict[str, Any]) -> Card:
    for f in fields(Card):
        if f.name in values and not isinstance(values[f.name], JSON_TYPES[str(f.type)]):
            raise ValueError(f"{f.name} is {values[f.name]!r}")
    mean, std = (tuple(float(v) for v in values[name]) for name in ("mean", "std"))
    sizes = 1 < values["classes"] <= MOST_CLASSES and len(mean) == len(std) == values["channels"]
    if not (sizes and min(std) > 0 and all(map(math.isfinite, (*mean, *std)))):
        raise ValueError(f"{values['classes']} classes, {values['channels']} channels, mean {mean}, std {std}")
    if not re.fullmatch("[0-9a-f]{64}", values["fingerprint"]):  # a folder is called so
        raise ValueError(f"fingerprint is {values['fingerprint']!r}")
    return Card(**{**values, "mean": mean, "std": std})


def load_plain(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a foreign file: safetensors, or a state_dict that torch saved, read with weights_only=True."""
    path = Path(path).expanduser()
    if path.suffix == ".safetensors":
        return arrays_of(_safetensors(_read(path), path))
    _read(path, 1)
    try:
        with warnings.catch_warnings(action="ignore"):  # torch's own advice on files that it refuses
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # a damaged pickle ends in nearly any error
        reason = "cut short, or a pickle that holds more than tensors, which could run code"
        raise InputError(f"teacher: {path} is not a state_dict that can be read safely: {reason}") from None
    return arrays_of(_state_dict(found, path))


def _state_dict(found: Any, path: Path) -> dict[str, Tensor]:
    while isinstance(found, Mapping) and (inner := [found[k] for k in WRAPPERS if isinstance(found.get(k), Mapping)]):
        found = inner[0]
    whole = isinstance(found, Mapping) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items())
    if not whole or not found:
        raise InputError(f"teacher: {path} holds no state_dict (a mapping of names to tensors)")
    for prefix in PREFIXES:
        if all(k.startswith(prefix) for k in found):
            found = {k.removeprefix(prefix): v for k, v in found.items()}
    return dict(found)


def _safetensors(content: bytes, path: str | Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_safetensors(content)
    except (SafetensorError, ValueError) as error:
        raise InputError(f"teacher: {path} is not a whole safetensors file ({error})") from None
    return tensors


def _read(path: Path, size: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise InputError(f"teacher: {path} cannot be read: {error.strerror}") from None
