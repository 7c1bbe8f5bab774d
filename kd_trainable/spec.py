"""RunSpec: all that determines a run; frozen, validated, hashed. No torch.

A run's name, its spec_id, hashes what differs from the defaults and can matter, with the fingerprints of data and
teacher. Defaults therefore never change; a change that alters numbers raises ENGINE_NUMERICS or the method's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, no_type_check

from kd_trainable.methods import METHODS
from kd_trainable.resolve import is_own, source_hash
from kd_trainable.rules import CONVENTIONS, FLOATS, INTEGERS, NAMES, SCALED_BATCH, check
from kd_trainable.taps import uses_features
from kd_trainable.terms import (
    all_hyperparameters,
    declared,
    entry,
    hyperparameters_of,
    in_order,
    is_hyperparameter,
    softened,
    taught,
    terms,
)
from kd_trainable.values import BOOLEANS, LISTS, plain, typed
from kd_trainable.vocabulary import InputError, Pixels, nearest, require_known

ENGINE_NUMERICS = 1

Schedule = tuple[tuple[int, float], ...]
SOFTENING_FIELDS = ("mode", "temperature", "alpha", "convention")
DISTILLATION_FIELDS = ("teacher", "hyperparameters", "taps", "peer", "control", *SOFTENING_FIELDS)
DROPPED_WITHOUT = {  # a field that cannot matter unless another field has one of these values
    "momentum": ("optimizer", ("sgd",)),
    "nesterov": ("optimizer", ("sgd",)),
    "rho": ("optimizer", ("adadelta",)),
    "milestones": ("schedule", ("multistep",)),
    "step_epochs": ("schedule", ("step",)),
    "plateau_patience": ("schedule", ("plateau",)),
    "gamma": ("schedule", ("multistep", "step", "plateau")),
    "fresh_optimizer": ("schedule", ("multistep", "step")),
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
    taps: tuple[str, ...] = ()
    peer: str = ""
    mode: str = "kl"
    temperature: float | Schedule = 4.0
    alpha: float | Schedule = 0.9
    convention: str = "hinton"
    control: str = "none"
    optimizer: str = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    rho: float = 0.9
    weight_decay: float = 5e-4
    schedule: str = "cosine"
    milestones: tuple[int, ...] = ()
    step_epochs: int = 45
    plateau_patience: int = 10
    gamma: float = 0.1
    warmup_epochs: int = 0
    fresh_optimizer: bool = False
    epochs: int = 30
    batch_size: int = 128
    augment: str = "crop4+flip"
    random_erasing: float = 0.0
    cutout: int = 0
    mixup: float = 0.0
    normalization: str = "dataset"
    label_smoothing: float = 0.0
    dropout: float = 0.0
    init: str = "default"
    pretrained: bool = False
    zero_gamma: bool = False
    no_bias_decay: bool = False
    linear_scaling: bool = False
    patience: int = 0
    monitor: str = "accuracy"
    protocol: str = "holdout"
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        for f in fields(self):
            object.__setattr__(self, f.name, typed(f.name, getattr(self, f.name)))
        object.__setattr__(self, "method", in_order(self.method))
        if self.peer == self.student:
            object.__setattr__(self, "peer", DEFAULTS["peer"])
        if self.method == "none":
            for name in DISTILLATION_FIELDS:
                object.__setattr__(self, name, DEFAULTS[name])
        check(self)

    @property
    def distilled(self) -> bool:
        """Whether the student learns from another network too."""
        return self.method != "none"

    @property
    def terms(self) -> tuple[str, ...]:
        """The distances that the method adds to the cross-entropy with the labels."""
        return terms(self.method)

    @property
    def taught(self) -> bool:
        """Whether the run has a frozen teacher."""
        return taught(self.method)

    @property
    def mutual(self) -> bool:
        """Whether a second student trains beside the first."""
        return any(entry(term).peer for term in self.terms)

    @property
    def live(self) -> bool:
        """Whether the teacher must run at every step, since kept logits do not hold what a term compares."""
        return any(uses_features(term, self.taps) and not entry(term).peer for term in self.terms)

    @property
    def pixels(self) -> Pixels:
        """What is done to the training images."""
        return Pixels(self.augment, self.random_erasing, self.cutout, self.mixup)

    def weights(self, epoch: int) -> tuple[float, float]:
        """(hard_weight, soft_weight) in the given epoch, counted from 0; the latter is of the softened terms."""
        if not any(softened(term) for term in self.terms):
            return 1.0, 0.0
        return weights(self.convention, value_at(self.alpha, epoch), value_at(self.temperature, epoch), self.mode)

    def term_weight(self, term: str, epoch: int) -> float:
        """What a term's distance is multiplied by in the given epoch."""
        if softened(term):
            return self.weights(epoch)[1]
        return hyperparameters_of(term, self.hyperparameters)["weight"]

    def flat(self) -> dict[str, Any]:
        """The fields as plain JSON values: what Tune's config, spec.json and the columns are made of."""
        return {k: plain(v) for k, v in asdict(self).items()}

    def matters(self) -> dict[str, Any]:
        """The fields that can matter and differ from their default: what is hashed, beside the fingerprints."""
        drop, known = irrelevant(self.flat()), declared(self.method)
        given = {**self.flat(), "hyperparameters": {k: v for k, v in self.hyperparameters.items() if v != known.get(k)}}
        return {k: v for k, v in given.items() if k not in drop and v != plain(DEFAULTS[k])}


def irrelevant(flat: Mapping[str, Any]) -> set[str]:
    """The fields that cannot matter to a run of these fields."""
    named = terms(flat["method"])
    dropped = set() if named else set(DISTILLATION_FIELDS)
    if not taught(flat["method"]):
        dropped |= {"teacher", "control"}
    if not any(entry(term).peer for term in named):
        dropped.add("peer")
    if not any(softened(term) for term in named):
        dropped |= set(SOFTENING_FIELDS)
    if not any(uses_features(term, tuple(flat["taps"])) for term in named):
        dropped.add("taps")
    # a person's own method may read T nonetheless
    if flat["mode"] == "logit_mse" and all(term == "kd" for term in named if softened(term)):
        dropped.add("temperature")
    dropped |= {name for name, (other, values) in DROPPED_WITHOUT.items() if flat[other] not in values}
    if flat["batch_size"] == SCALED_BATCH:
        dropped.add("linear_scaling")
    return dropped | ({"monitor"} if not flat["patience"] and flat["schedule"] != "plateau" else set())


def spec_id(spec: RunSpec, data_fingerprint: str, teacher_fingerprint: str = "") -> str:
    """The run's name: 16 hex digits. The fingerprints are of the data's arrays and of the teacher's weights."""
    named = {
        "fields": spec.matters(),
        "data": data_fingerprint,
        "teacher": teacher_fingerprint if spec.taught else "",
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


def _method_numerics(spec: RunSpec) -> dict[str, int]:
    return {term: METHODS[term].numerics for term in spec.terms if term in METHODS}


def _sources(spec: RunSpec) -> dict[str, str]:
    missing = irrelevant(spec.flat())
    named = [(n, getattr(spec, n)) for n in ("dataset", "student", "teacher", "peer") if n not in missing]
    named += [("method", term) for term in spec.terms]
    ours = (value for value in named if is_own(value[1]))
    return {value: source_hash(name, value) for name, value in ours}


DEFAULTS: dict[str, Any] = {f.name: ({} if f.name == "hyperparameters" else f.default) for f in fields(RunSpec)}
FIELDS = tuple(DEFAULTS)


def require_field(name: str) -> None:
    """Raises InputError unless ``name`` is a field of RunSpec, or a hyperparameter of a method, METHOD.NAME."""
    if "." in name and not is_hyperparameter(name):
        require_known("hyperparameters", name, all_hyperparameters())
    if "." not in name and name not in FIELDS:
        raise InputError(f"{name}: no such field{nearest(name, FIELDS)}; fields: {', '.join(FIELDS)}")


assert set(FIELDS) == FLOATS | INTEGERS | NAMES.keys() | {
    "hyperparameters", "method", "teacher", "peer", *BOOLEANS, *LISTS,
}  # fmt: skip
