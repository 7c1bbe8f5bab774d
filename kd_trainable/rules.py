"""What a RunSpec's fields may hold: the names, the ranges, and what cannot go together. No torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from kd_trainable import taps
from kd_trainable.data import DATASETS, VIEWS
from kd_trainable.models import MODELS
from kd_trainable.terms import ALSO_OWN, DOTTED, check_method, declared, entry, is_hyperparameter, own_term
from kd_trainable.vocabulary import InputError, require_known

if TYPE_CHECKING:
    from kd_trainable.spec import RunSpec

MODES = ("cse", "kl", "mse", "logit_mse")
CONTROLS = ("none", "shuffled-teacher", "uniform-teacher")
OPTIMIZERS = ("sgd", "adam", "adamw", "adadelta")
SCHEDULES = ("constant", "multistep", "step", "cosine", "one_cycle", "plateau")
SCALED_BATCH = 256  # the batch that lr is given for under linear_scaling
INITS = ("default", "xavier", "kaiming")
MONITORS = ("accuracy", "loss")
PROTOCOLS = ("holdout", "published")
PRECISIONS = ("float32", "bf16")


class Convention(NamedTuple):
    """How (alpha, T) give (hard_weight, soft_weight), and the largest alpha that makes sense."""

    weights: Callable[[float, float], tuple[float, float]]
    largest_alpha: float


CONVENTIONS = {
    "hinton": Convention(lambda alpha, t: (1 - alpha, alpha * t * t), 1.0),
    "unscaled": Convention(lambda alpha, t: (1 - alpha, alpha), 1.0),
    "additive": Convention(lambda alpha, t: (1.0, alpha * t * t), math.inf),
    "hard_lambda": Convention(lambda alpha, t: (alpha, 1.0), math.inf),
}

# field -> (known names, whether package.module:callable is a name too)
NAMES: dict[str, tuple[Iterable[str], bool]] = {
    "dataset": (DATASETS, True),
    "student": (MODELS, True),
    "mode": (MODES, False),
    "convention": (CONVENTIONS, False),
    "control": (CONTROLS, False),
    "optimizer": (OPTIMIZERS, False),
    "schedule": (SCHEDULES, False),
    "augment": (VIEWS, False),
    "init": (INITS, False),
    "monitor": (MONITORS, False),
    "normalization": ((), False),  # its names are the data set's own
    "protocol": (PROTOCOLS, False),
    "precision": (PRECISIONS, False),
}

Range = tuple[Callable[[float], bool], str]
RANGES: dict[str, Range] = {
    "temperature": (lambda v: v > 0, "must be > 0"),
    "lr": (lambda v: v > 0, "must be > 0"),
    "momentum": (lambda v: 0 <= v < 1, "must be in [0, 1)"),
    "rho": (lambda v: 0 <= v < 1, "must be in [0, 1)"),
    "weight_decay": (lambda v: v >= 0, "must be >= 0"),
    "gamma": (lambda v: 0 < v <= 1, "must be in (0, 1]"),
    "label_smoothing": (lambda v: 0 <= v < 1, "must be in [0, 1)"),
    "random_erasing": (lambda v: 0 <= v <= 1, "must be in [0, 1], the share of images"),
    "mixup": (lambda v: v >= 0, "must be >= 0 (0 is off)"),
    "dropout": (lambda v: 0 <= v < 1, "must be in [0, 1)"),
    "alpha": (lambda v: v >= 0, "must be >= 0"),
    "cutout": (lambda v: v >= 0, "must be a whole number of pixels >= 0 (0 is off)"),
    "step_epochs": (lambda v: v >= 1, "must be a whole number >= 1"),
    "plateau_patience": (lambda v: v >= 1, "must be a whole number >= 1"),
    "epochs": (lambda v: v >= 1, "must be a whole number >= 1"),
    "batch_size": (lambda v: v >= 1, "must be a whole number >= 1"),
    "warmup_epochs": (lambda v: v >= 0, "must be a whole number >= 0"),
    "patience": (lambda v: v >= 0, "must be a whole number >= 0 (0 is off)"),
    "seed": (lambda v: 0 <= v < 2**63, "must be a whole number >= 0, and below 2^63"),
}
GIVEN = ("temperature", "modes")  # what the engine gives every method beside its own hyperparameters
INTEGERS = {"epochs", "batch_size", "warmup_epochs", "patience", "seed", "cutout", "step_epochs", "plateau_patience"}
FLOATS = RANGES.keys() - INTEGERS


def check(spec: RunSpec) -> None:
    """Raises InputError for the first thing that cannot be: a name, a range, or a combination."""
    _names(spec)
    for name, rule in RANGES.items():
        _range(name, getattr(spec, name), rule)
    _alpha(spec)
    _schedule(spec)
    _hyperparameters(spec)
    taps.check(spec.method, spec.taps)
    _size(spec)


def refuse(name: str, value: Any, allowed: str) -> InputError:
    """The one line for a value that is not allowed."""
    return InputError(f"{name}: {value} is not allowed; {allowed}")


def known_name(name: str, value: str) -> None:
    """Raises InputError unless ``value`` is a name that field ``name`` may hold."""
    if name == "method":
        check_method(value)
        return
    known, own = NAMES[name]
    if own and DOTTED.fullmatch(value):
        return
    require_known(name, value, known, ALSO_OWN if own else "")


def _names(spec: RunSpec) -> None:
    check_method(spec.method)
    for name in NAMES:
        if name != "normalization":
            known_name(name, getattr(spec, name))
    for name in ("teacher", "peer"):
        if (value := getattr(spec, name)) and not DOTTED.fullmatch(value):
            require_known(name, value, MODELS, ALSO_OWN)
    if spec.dataset in DATASETS and DATASETS[spec.dataset].normalizations:
        require_known("normalization", spec.normalization, DATASETS[spec.dataset].normalizations)


def _range(name: str, value: Any, rule: Range) -> None:
    holds, allowed = rule
    if isinstance(value, tuple):
        _steps(name, value)
    for number in [v for _, v in value] if isinstance(value, tuple) else [value]:
        if not holds(number) or number == math.inf:  # no rule holds for NaN
            raise refuse(name, f"{number:g}" if isinstance(number, float) else number, allowed)


def _steps(name: str, value: tuple[tuple[int, float], ...]) -> None:
    starts = [start for start, _ in value]
    if not value or starts[0] != 0 or starts != sorted(set(starts)):
        raise refuse(name, [list(v) for v in value], "a schedule is [[0, value], [epoch, value], ...], epochs rising")


def _alpha(spec: RunSpec) -> None:
    largest = CONVENTIONS[spec.convention].largest_alpha
    for value in [v for _, v in spec.alpha] if isinstance(spec.alpha, tuple) else [spec.alpha]:
        if value > largest:
            raise refuse("alpha", f"{value:g}", f"must be in [0, {largest:g}] for convention {spec.convention}")


def _schedule(spec: RunSpec) -> None:
    if spec.milestones and spec.schedule != "multistep":
        raise refuse("milestones", list(spec.milestones), f"schedule {spec.schedule} has none; use multistep")
    if spec.schedule == "multistep" and not spec.milestones:
        raise refuse("milestones", "none given", "schedule multistep needs at least one")
    if list(spec.milestones) != sorted(set(spec.milestones)) or any(m < 1 for m in spec.milestones):
        raise refuse("milestones", list(spec.milestones), "must be rising whole numbers >= 1")
    if spec.warmup_epochs and spec.warmup_epochs >= spec.epochs:
        raise refuse("warmup_epochs", spec.warmup_epochs, f"must be less than epochs ({spec.epochs})")
    if spec.warmup_epochs and spec.schedule == "one_cycle":
        raise refuse("warmup_epochs", spec.warmup_epochs, "schedule one_cycle warms up by itself; give 0")
    if spec.nesterov and spec.optimizer == "sgd" and spec.momentum == 0:
        raise refuse("nesterov", "true", "needs momentum > 0")


def _hyperparameters(spec: RunSpec) -> None:
    known = declared(spec.method)
    for name, value in spec.hyperparameters.items():
        if not own_term(spec.method) or is_hyperparameter(name):
            if not known:
                raise refuse("hyperparameters", repr(name), f"method {spec.method} has none")
            require_known("hyperparameters", name, known)
        if name in GIVEN:
            raise refuse("hyperparameters", repr(name), f"a method is given {name} by the field of that name")
        if not math.isfinite(value):
            raise refuse("hyperparameters", f"{name}={value:g}", "must be a finite number")
        if is_hyperparameter(name):
            _in_range(name, value)


def _in_range(name: str, value: float) -> None:
    """Every hyperparameter of the table is at least 0; a temperature is more, and a switch is 0 or 1."""
    term, _, own = name.partition(".")
    if own == entry(term).train_mode and value not in (0, 1):
        raise refuse("hyperparameters", f"{name}={value:g}", "must be 0 or 1")
    if value < 0 or (own == "temperature" and value == 0):
        raise refuse("hyperparameters", f"{name}={value:g}", f"must be {'>' if own == 'temperature' else '>='} 0")


def _size(spec: RunSpec) -> None:
    known = DATASETS.get(spec.dataset)
    if known is None or not known.train_images:
        return  # its size is known when it is loaded
    images = training_images(known.train_images, spec.protocol)
    require_room_for_cutout(spec.cutout, spec.dataset, known.shape)
    if spec.batch_size > images:
        raise refuse("batch_size", spec.batch_size, f"{spec.dataset} has {images} training images")


def require_room_for_cutout(cutout: int, dataset: str, shape: tuple[int, int, int]) -> None:
    """Raises InputError for a square as large as the images of ``shape`` (C, H, W)."""
    if cutout >= min(shape[1:]):
        side = " x ".join(map(str, shape[1:]))
        raise refuse("cutout", cutout, f"must be less than the images' side; {dataset}'s are {side}")


def training_images(images: int, protocol: str) -> int:
    """Images that are trained on, of all the training images: less the held-out ones, min(5,000, 10 %)."""
    return images - min(5000, images // 10) if protocol == "holdout" else images
