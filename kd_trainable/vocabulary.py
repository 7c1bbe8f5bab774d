"""The words every other module speaks. Imports nothing of this library, and no torch when run.

Axis letters, one meaning everywhere: S students, B batch, N images, K classes, D embedding, C H W an image.
"""

from __future__ import annotations

import difflib
import re
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


class Pixels(NamedTuple):
    """What is done to the training images, the same for student and teacher: the view, and what comes after it.

    ``random_erasing``: the share of images with an erased box; ``cutout``: the side of a cut square, in pixels;
    ``mixup``: the parameter of the Beta distribution of the mix. 0 is off.
    """

    augment: str = "crop4+flip"
    random_erasing: float = 0.0
    cutout: int = 0
    mixup: float = 0.0

    @property
    def finite(self) -> bool:
        """Whether an image has no more looks than ``augment`` has views."""
        return not (self.random_erasing or self.cutout or self.mixup)


@runtime_checkable
class Method(Protocol):
    """One distillation method: how far the student is from the teacher, as a scalar; smaller is closer.

    The features of both are given under the same names, the student's taps, and only those that the method asks for.
    It runs no network and knows no weight, epoch, config or pack, and must survive ``torch.func.vmap``: no
    data-dependent shape, no ``.item()``, no Python ``if`` on a hyperparameter's value.
    """

    def __call__(
        self, student: Outputs, teacher: Outputs, batch: Batch, *, hyperparameters: Mapping[str, Any]
    ) -> Tensor: ...


class MethodEntry(NamedTuple):
    """A line of the table of methods.

    ``numerics`` is raised when a change alters the method's numbers. ``hyperparameters`` are the names it declares,
    with their defaults; one called ``weight`` is what its distance is multiplied by, and a method without it is
    weighed by the convention's alpha and T, and is given T and the mode. ``taps``: the features it compares, '' for
    none (see kd_trainable.taps.KINDS); ``adapter``: who makes the parameters that it trains beside the student's.
    ``train_mode``: the hyperparameter that, at 1, has the teacher's batch norm run in train mode. ``peer``: the other
    network is no frozen teacher but a second student.
    """

    target: str
    numerics: int
    hyperparameters: Mapping[str, float] = NOTHING
    taps: str = ""
    adapter: str = ""
    train_mode: str = ""
    peer: bool = False
    packable: bool = True


class Fit(NamedTuple):
    """One pair of tapped features, as an adapter is told of it: shapes without the batch, and the batch norm that
    comes before the teacher's tapped ReLU where the tap is one."""

    tap: str
    student: tuple[int, ...]
    teacher: tuple[int, ...]
    norm: Any = None


class ModelEntry(NamedTuple):
    """A line of the table of networks: builder, parameter count at ``shape`` (C, H, W) and ``classes``, taps.

    ``before_relu``: (tap, the batch norm's path) for every stage, the tap being what the stage's last ReLU is given.
    ``weights``: torchvision's name of pretrained weights that fit this network; '' where there are none.
    """

    target: str
    parameters: int
    taps: tuple[str, ...]
    shape: tuple[int, int, int] = (3, 32, 32)
    classes: int = 10
    before_relu: tuple[tuple[str, str], ...] = ()
    weights: str = ""


class DatasetEntry(NamedTuple):
    """A line of the table of data sets: all that a plan must know of one without loading it.

    ``normalizations`` maps a name to (mean, std) of pixels in [0, 1]; ``fingerprint`` is that of the loaded
    arrays, pinned here so that a plan can name its runs before the data is there, and checked at loading. Where it is
    '' a plan loads the data first, and what else is left at its default here is learned then too.
    """

    target: str
    shape: tuple[int, int, int] = (0, 0, 0)
    classes: int = 0
    train_images: int = 0
    test_images: int = 0
    normalizations: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = NOTHING
    fingerprint: str = ""


# What a terminal obeys instead of showing it, and what turns the direction of a text around.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text without what a terminal would obey: a name or an error may come from a stranger's file."""
    return _UNSEEN.sub("\ufffd", text)


def without_secrets(text: str) -> str:
    """A text whose URLs have lost the user and password before their host: ``s3://KEY:SECRET@bucket``.

    Of S3's also those whose secret has a / in it, as many have, which should have been written %2F.
    """
    return re.sub(r"(?<=://)[^/@\s]*@|(?<=s3://)[^/@:\s]*:[^@?\s]*@", "", text)


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
