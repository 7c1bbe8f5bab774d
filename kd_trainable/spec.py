"""RunSpec: all that determines a run; frozen, validated, hashed. No torch.

A run's name, its spec_id, hashes what differs from the defaults and can matter, with the fingerprints of data and
teacher. Defaults therefore never change; a change that alters numbers raises ENGINE_NUMERICS or the method's own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import numbers
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, no_type_check

from kd_trainable.methods import METHODS
from kd_trainable.rules import CONVENTIONS, FLOATS, INTEGERS, NAMES, check
from kd_trainable.vocabulary import InputError, nearest

ENGINE_NUMERICS = 1

Schedule = tuple[tuple[int, float], ...]
DISTILLATION_FIELDS = ("teacher", "hyperparameters", "mode", "temperature", "alpha", "convention", "control")
SCHEDULABLE = ("temperature", "alpha")
BOOLEANS = ("nesterov", "fresh_optimizer")
DROPPED_WITHOUT = {  # a field that cannot matter unless another field has one of these values
    "momentum": ("optimizer", ("sgd",)),
    "nesterov": ("optimizer", ("sgd",)),
    "milestones": ("schedule", ("multistep",)),
    "gamma": ("schedule", ("multistep",)),
    "fresh_optimizer": ("schedule", ("multistep",)),
}


@no_type_check  # for the tests' type checker: whatever is given here is read, or refused in one line, by _typed
@dataclass(frozen=True)
class RunSpec:
    """One training run. ``method='none'`` is the undistilled baseline, which has no teacher, mode, T or alpha.

    ``temperature`` and ``alpha`` may be ``[[epoch, value], ...]``: from that epoch (counted from 0) on. Any name
    may be ``package.module:callable``. Raises InputError, in one line, for what cannot be.
    """

    dataset: str = "cifar10"
    teacher: str = ""
    student: str = "conv5x5"
    method: str = "kd"
    hyperparameters: Mapping[str, float] = field(default_factory=dict)
    mode: str = "kl"
    temperature: float | Schedule = 4.0
    alpha: float | Schedule = 0.9
    convention: str = "hinton"
    control: str = "none"
    optimizer: str = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 5e-4
    schedule: str = "cosine"
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    warmup_epochs: int = 0
    fresh_optimizer: bool = False
    epochs: int = 30
    batch_size: int = 128
    augment: str = "crop4+flip"
    normalization: str = "dataset"
    label_smoothing: float = 0.0
    patience: int = 0
    protocol: str = "holdout"
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        for f in fields(self):
            object.__setattr__(self, f.name, _typed(f.name, getattr(self, f.name)))
        if self.method == "none":
            for name in DISTILLATION_FIELDS:
                object.__setattr__(self, name, DEFAULTS[name])
        check(self)

    @property
    def distilled(self) -> bool:
        """Whether the run has a teacher."""
        return self.method != "none"

    def weights(self, epoch: int) -> tuple[float, float]:
        """(hard_weight, soft_weight) in the given epoch, counted from 0."""
        if not self.distilled:
            return 1.0, 0.0
        return weights(self.convention, value_at(self.alpha, epoch), value_at(self.temperature, epoch), self.mode)

    def flat(self) -> dict[str, Any]:
        """The fields as plain JSON values: what Tune's config, spec.json and the columns are made of."""
        return {k: _plain(v) for k, v in asdict(self).items()}

    def matters(self) -> dict[str, Any]:
        """The fields that can matter and differ from their default: what is hashed, beside the fingerprints."""
        drop = set() if self.distilled else set(DISTILLATION_FIELDS)
        if self.mode == "logit_mse" and self.method == "kd":  # a person's own method may read T nonetheless
            drop.add("temperature")
        for name, (other, values) in DROPPED_WITHOUT.items():
            if getattr(self, other) not in values:
                drop.add(name)
        return {k: v for k, v in self.flat().items() if k not in drop and v != _plain(DEFAULTS[k])}


def spec_id(spec: RunSpec, data_fingerprint: str, teacher_fingerprint: str = "") -> str:
    """The run's name: 16 hex digits. The fingerprints are of the data's arrays and of the teacher's weights."""
    named = {
        "fields": spec.matters(),
        "data": data_fingerprint,
        "teacher": teacher_fingerprint if spec.distilled else "",
        "numerics": {"engine": ENGINE_NUMERICS, **_method_numerics(spec)},
        "sources": _sources(spec),
    }
    text = json.dumps(named, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def weights(convention: str, alpha: float, temperature: float, mode: str) -> tuple[float, float]:
    """(hard_weight, soft_weight) of a convention. ``logit_mse`` knows no T, so T^2 is left out of its weight."""
    return CONVENTIONS[convention].weights(alpha, 1.0 if mode == "logit_mse" else temperature)


def value_at(value: float | Schedule, epoch: int) -> float:
    """A scalar, or what its schedule holds in ``epoch`` (from 0)."""
    if isinstance(value, float):
        return value
    return next(v for start, v in reversed(value) if start <= epoch)


def source_hash(field: str, name: str) -> str:
    """sha256 of the file that defines a field's ``package.module:callable``. Raises InputError where there is none."""
    module = name.partition(":")[0]
    try:
        found = importlib.util.find_spec(module)
    except Exception:  # the package around the module is imported, and may raise whatever it likes
        found = None
    if found is None or not found.origin or not Path(found.origin).is_file():
        raise InputError(
            f"{field}: {name!r}: no module {module!r} with a source file; allowed: one that can be imported"
        )
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest()


def _method_numerics(spec: RunSpec) -> dict[str, int]:
    return {spec.method: METHODS[spec.method].numerics} if spec.method in METHODS else {}


def _sources(spec: RunSpec) -> dict[str, str]:
    named = {name: getattr(spec, name) for name in ("dataset", "student", "method", "teacher")}
    return {value: source_hash(name, value) for name, value in named.items() if ":" in value}


def _typed(name: str, value: Any) -> Any:
    """``value`` as the one type that field has, so that 1 and 1.0, a list and a tuple, hash alike."""
    try:
        if name in SCHEDULABLE and isinstance(value, list | tuple):
            return tuple((_integer(e), _number(v)) for e, v in value)
        if name in FLOATS:
            return _number(value)
        if name in INTEGERS:
            return _integer(value)
        if name == "milestones":
            return tuple(_integer(v) for v in ([value] if isinstance(value, str) else value))
        if name == "hyperparameters":
            return {str(k): _number(v) for k, v in sorted(dict(value).items())}
        if name in BOOLEANS:
            return _boolean(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name}: {value!r} is not allowed; must be {_kind(name)}") from None
    return str(value)


def _kind(name: str) -> str:
    """In words, what a field holds."""
    if name in SCHEDULABLE:
        return "a number, or a schedule [[0, value], [epoch, value], ...]"
    kinds = {"milestones": "whole numbers", "hyperparameters": "a mapping of names to numbers"}
    kinds |= dict.fromkeys(BOOLEANS, "true or false")
    return kinds.get(name, "a whole number" if name in INTEGERS else "a number")


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError(value)
    return float(value) + 0.0  # -0.0 is 0.0


def _integer(value: Any) -> int:
    if isinstance(value, str):
        return int(value)
    whole = int(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or whole != value:
        raise ValueError(value)
    return whole


def _boolean(value: Any) -> bool:
    if str(value).lower() not in ("true", "false"):  # numpy's and JSON's too
        raise ValueError(value)
    return str(value).lower() == "true"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return dict(value) if isinstance(value, Mapping) else value


DEFAULTS: dict[str, Any] = {f.name: ({} if f.name == "hyperparameters" else f.default) for f in fields(RunSpec)}
FIELDS = tuple(DEFAULTS)


def require_field(name: str) -> None:
    """Raises InputError unless ``name`` is a field of RunSpec."""
    if name not in FIELDS:
        raise InputError(f"{name}: no such field{nearest(name, FIELDS)}; fields: {', '.join(FIELDS)}")


assert set(FIELDS) == FLOATS | INTEGERS | NAMES.keys() | {
    "milestones", "hyperparameters", "teacher", *BOOLEANS,
}  # fmt: skip
