"""A run's distances to its teacher or peer: the terms of its method, what they compare, and what they train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kd_trainable.engine.features import outputs, submodule
from kd_trainable.methods import METHODS, kd
from kd_trainable.resolve import resolve
from kd_trainable.spec import RunSpec, value_at
from kd_trainable.taps import Pair, pairs
from kd_trainable.terms import entry, hyperparameters_of, softened
from kd_trainable.vocabulary import Batch, Fit, InputError, Method, Outputs

ADAPTER_STREAM = 0x41444150  # sets an adapter's initial weights apart from the student's of the same seed


@dataclass(frozen=True, eq=False)
class Term:
    """One distance: its loss, the features it compares, and the adapter that fits them, if it has one."""

    name: str
    loss: Method
    pairs: list[Pair]
    adapter: nn.Module | None

    def __call__(self, student: Outputs, other: Outputs, batch: Batch, given: Mapping[str, Any]) -> Float[Tensor, ""]:
        """How far ``student`` is from ``other``, not yet weighted, in float32."""
        ours = {pair.student: student.features[pair.student] for pair in self.pairs}
        theirs = {pair.student: other.features[pair.teacher] for pair in self.pairs}
        if self.adapter is not None:
            ours, theirs = self.adapter(ours, theirs)
        return self.loss(
            Outputs(student.logits.float(), ours), Outputs(other.logits.float(), theirs), batch, hyperparameters=given
        )


def make_terms(
    spec: RunSpec, student: nn.Module, teacher: nn.Module | None, example: Float[Tensor, "B C H W"]
) -> list[Term]:
    """The terms of the spec's method, their adapters on the example's device, initialised by the spec's seed.

    ``example``: a batch of at least two images as the networks take them. ``teacher`` is needed by terms that compare
    features. Raises InputError for taps that are not there, and for features that cannot be matched.
    """
    return [_term(name, spec, student, teacher, example) for name in spec.terms]


def _term(name: str, spec: RunSpec, student: nn.Module, teacher: nn.Module | None, example: Tensor) -> Term:
    loss = resolve_method(name)
    found = [] if entry(name).peer else pairs(name, spec.taps, spec.student, spec.teacher)
    if not found:
        return Term(name, loss, [], None)
    if teacher is None:
        raise ValueError(f"method {name} compares features, and there is no teacher to run")
    names = (f"the student {spec.student}", f"the teacher {spec.teacher}")
    fits = _fits(found, student, teacher, example, names)
    adapter = _adapter(name, spec, fits)
    return Term(name, loss, found, None if adapter is None else adapter.to(example.device))


@torch.no_grad()
def _fits(
    found: Sequence[Pair], student: nn.Module, teacher: nn.Module, example: Tensor, names: tuple[str, str]
) -> list[Fit]:
    ours = _shapes(student, example, [pair.student for pair in found], names[0])
    theirs = _shapes(teacher, example, [pair.teacher for pair in found], names[1])
    norms = [submodule(teacher, pair.norm, names[1]) if pair.norm else None for pair in found]
    return [Fit(p.student, ours[p.student], theirs[p.teacher], n) for p, n in zip(found, norms, strict=True)]


def _shapes(network: nn.Module, example: Tensor, taps: Sequence[str], name: str) -> dict[str, tuple[int, ...]]:
    """The shapes of tapped features without the batch, from a forward that leaves the network as it was."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    found = {tap: tuple(value.shape[1:]) for tap, value in outputs(network, example, taps, name).features.items()}
    for module, training in modes.items():
        module.training = training
    return found


def _adapter(name: str, spec: RunSpec, fits: list[Fit]) -> nn.Module | None:
    target = entry(name).adapter
    if not target:
        return None
    make = resolve("method", target, {}, "a callable adapter(fits, hyperparameters)")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed ^ ADAPTER_STREAM)
        adapter: nn.Module = make(fits, hyperparameters_of(name, spec.hyperparameters))
    return adapter


def given_to(name: str, spec: RunSpec, epoch: int) -> dict[str, Any]:
    """What a term's loss is given in an epoch: its hyperparameters; softened ones T, and the mode as a weight, too."""
    own = hyperparameters_of(name, spec.hyperparameters)
    if not softened(name):
        return own
    return {**own, "temperature": value_at(spec.temperature, epoch), "modes": {spec.mode: 1.0}}


def resolve_method(name: str) -> Method:
    """The loss of a method by name or ``package.module:callable``. Raises InputError for a name that leads nowhere."""
    return resolve("method", name, METHODS, "a callable loss(student, teacher, batch, *, hyperparameters)")


def teacher_entropy(logits: Float[Tensor, "B K"], temperature: float) -> Float[Tensor, ""]:
    """Mean entropy (nats) of the softened teacher: what soft cross-entropy has above KL."""
    return kd.MODES["cse"](logits.float(), logits.float(), temperature)


def require_finite(name: str, distance: Tensor) -> None:
    """Raises InputError unless a term's distance is a finite number."""
    if distance.ndim or not bool(torch.isfinite(distance)):
        what = f"{float(distance):g}" if not distance.ndim else f"of shape {tuple(distance.shape)}"
        raise InputError(f"method: {name} gives a distance {what} on random images; must be one finite number")
