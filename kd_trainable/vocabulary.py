"""The words every other module speaks. Imports nothing of this library, and no torch when run.

Axis letters, one meaning everywhere: S students, B batch, N images, K classes, D embedding, C H W an image.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

NOTHING: Mapping[str, Any] = MappingProxyType({})


class InputError(ValueError):
    """What the user asked for cannot be done: one line that names the thing, the value and what is allowed."""


class Outputs(NamedTuple):
    """What a network gave for a batch: logits [B, K], and the features that were tapped, by module path."""

    logits: Tensor
    features: Mapping[str, Tensor] = NOTHING


class Batch(NamedTuple):
    """What a loss may know of the images themselves: labels [B] and their indices in the training split [B]."""

    labels: Tensor
    indices: Tensor


@runtime_checkable
class Method(Protocol):
    """One distillation method: how far the student is from the teacher, as a scalar; smaller is closer.

    It runs no network and knows no weight, epoch, config or pack, and must survive ``torch.func.vmap``: no
    data-dependent shape, no ``.item()``, no Python ``if`` on a hyperparameter's value.
    """

    def __call__(
        self, student: Outputs, teacher: Outputs, batch: Batch, *, hyperparameters: Mapping[str, Any]
    ) -> Tensor: ...


class MethodEntry(NamedTuple):
    """A line of the table of methods.

    ``numerics`` is raised when a change alters the method's numbers; ``hyperparameters`` are the names it
    declares, with their defaults.
    """

    target: str
    numerics: int
    hyperparameters: Mapping[str, float] = NOTHING


class ModelEntry(NamedTuple):
    """A line of the table of networks: builder, parameter count at ``shape`` (C, H, W) and 10 classes, taps."""

    target: str
    parameters: int
    taps: tuple[str, ...]
    shape: tuple[int, int, int] = (3, 32, 32)


class DatasetEntry(NamedTuple):
    """A line of the table of data sets: all that a plan must know of one without loading it.

    ``normalizations`` maps a name to (mean, std) of pixels in [0, 1]; ``fingerprint`` is that of the loaded
    arrays, pinned here so that a plan can name its runs before the data is there, and checked at loading.
    """

    target: str
    shape: tuple[int, int, int]
    classes: int
    train_images: int
    test_images: int
    normalizations: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]
    fingerprint: str


def nearest(name: str, known: Iterable[str]) -> str:
    """' (did you mean X?)' for the known name closest to ``name``, or an empty string."""
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def require_known(field: str, name: str, known: Iterable[str], also: str = "") -> None:
    """Raises InputError unless ``name`` is one of ``known``; the line names field, value, nearest and allowed."""
    known = list(known)
    if name not in known:
        allowed = ", ".join(known) + also
        raise InputError(f"{field}: unknown name {name!r}{nearest(name, known)}; allowed: {allowed}")
