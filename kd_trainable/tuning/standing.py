"""A sweep as it stands before anything starts: what is asked checked, its storage, its names, its teacher if there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kd_trainable.interrupts import leaving_at_once
from kd_trainable.models import MODELS
from kd_trainable.shards import passes
from kd_trainable.spec import RunSpec, spec_id
from kd_trainable.terms import taught
from kd_trainable.tuning.facts import facts
from kd_trainable.tuning.plan import Names, Passes, check_against_data, teacher_recipe
from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.space import Space
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import DatasetEntry, require_known

if TYPE_CHECKING:
    from kd_trainable.teacher import Card, Teacher


@dataclass(frozen=True)
class Standing:
    """A sweep as it stands: its storage, the names of its runs, its data set, the teacher's card if there is one."""

    storage: Storage
    names: Names
    known: DatasetEntry
    card: Card | None
    teacher: Teacher | None

    @property
    def teacher_missing(self) -> bool:
        """Whether the teacher is yet to be trained."""
        return self.names.teacher is None


def stand(space: Space, settings: Settings, known: DatasetEntry | None = None) -> Standing:
    """Looks at what is there; changes nothing. Raises InputError for all that is wrong with what is asked.

    ``known``: of the data set, where that is not to be loaded to know it.
    """
    settings.check(space)
    base = space.base
    known = known or facts(base.dataset, settings.data_dir)
    check_against_data(space, known)
    storage = Storage(settings.storage)
    if not needs_teacher(space):
        return Standing(storage, Names(known.fingerprint, ""), known, None, None)
    with leaving_at_once():
        from kd_trainable.tuning import teachers

    if settings.teacher is not None:
        if settings.teacher_model is not None:
            require_model(settings.teacher_model)
        found = teachers.given(settings.teacher, settings.teacher_model, base, known)
        return Standing(storage, Names(known.fingerprint, found.card.identity), known, found.card, found)
    recipe = teacher_recipe(space, settings)
    card = teachers.kept(storage, spec_id(recipe, known.fingerprint), recipe.student)
    return Standing(storage, Names(known.fingerprint, card.identity if card else None), known, card, None)


def needs_teacher(space: Space) -> bool:
    """Whether any run has a frozen teacher."""
    return any(taught(method) for method in space.values("method"))


def require_model(name: str) -> None:
    """Raises InputError unless ``name`` is a network's."""
    if ":" not in name:
        require_known("teacher_model", name, MODELS, ", or your own as package.module:callable")


def with_teacher(space: Space, standing: Standing, settings: Settings) -> Space:
    """The space with its teacher's network named, which is a field of every distilled run."""
    if not needs_teacher(space):
        return space
    name = standing.card.architecture if standing.card else teacher_recipe(space, settings).student
    return Space({**space.fixed, "teacher": name}, space.blocks, space.seeds, space.baselines)


def passes_with_kept(space: Space, runs: Sequence[RunSpec], standing: Standing) -> Passes:
    """The passes that runs need together, and how many of them are kept; live teachers pass once an epoch and run."""
    from kd_trainable import logits

    taught_runs = [spec for spec in runs if spec.taught]
    usual, needed, kept = sum(spec.epochs for spec in taught_runs), 0, 0
    for pixels in {spec.pixels: None for spec in taught_runs if not spec.live}:
        there: set[str] = set()
        if standing.card is not None:
            folder = logits.folder_name(standing.card, standing.names.data, space.base.protocol, pixels)
            there = set(standing.storage.names(f"logits/{folder}"))
        shards, _ = passes(space.seeds, space.base.epochs, pixels, there)
        needed, kept = needed + len(shards), kept + sum(shard.file in there for shard in shards)
    live = sum(spec.epochs for spec in taught_runs if spec.live)
    return Passes(needed + live, usual, kept, live)
