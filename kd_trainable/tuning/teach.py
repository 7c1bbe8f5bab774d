"""The teacher of a sweep, ready to teach: trained now with a progress bar if need be, loaded, verified."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from kd_trainable.data.images import ImageData
from kd_trainable.data.load import load
from kd_trainable.engine.plain import Row
from kd_trainable.engine.process import free_cache
from kd_trainable.spec import RunSpec, spec_id
from kd_trainable.teacher import Card, Teacher
from kd_trainable.tuning import teachers
from kd_trainable.tuning.facts import facts
from kd_trainable.tuning.ground import require_room, sole_driver
from kd_trainable.tuning.store import Storage
from kd_trainable.tuning.text import duration

if TYPE_CHECKING:
    from kd_trainable.tuning.standing import Standing

Say = Callable[[str], None]


def verified_teacher(standing: Standing, recipe: RunSpec | None, data: ImageData, device: str, say: Say) -> Teacher:
    """The sweep's teacher, trained by ``recipe`` where it is not there yet, and verified."""
    card = standing.card
    if standing.teacher is None and card is None:
        assert recipe is not None
        card = train_with_bar(recipe, data, standing.names.data, standing.storage, device, say)
    assert card is not None
    found = standing.teacher or teachers.load_kept(standing.storage, card)
    measured, line = teachers.verify(found, data, device)
    free_cache(device)
    say(line)
    return Teacher(measured, found.arrays)


def trained_teacher(fields: Mapping[str, Any], storage_uri: str, data_dir: str | None, say: Say) -> tuple[Card, str]:
    """The kept teacher of a recipe, trained if it is not there yet, and the folder it lies in."""
    storage, recipe = Storage(storage_uri), RunSpec(**{**fields, "method": "none"})
    card = teachers.kept(storage, spec_id(recipe, facts(recipe.dataset, data_dir).fingerprint), recipe.student)
    if card is None:
        data = load(recipe.dataset, data_dir)
        require_room(storage)
        with sole_driver(storage):
            card = train_with_bar(recipe, data, data.fingerprint(), storage, local_device(None), say)
    return card, storage.path("teachers", card.fingerprint)


def train_with_bar(
    recipe: RunSpec, data: ImageData, data_fingerprint: str, storage: Storage, device: str, say: Say
) -> Card:
    """Trains a teacher, showing steps, accuracy and ETA where there is a terminal, a line every so often elsewhere."""
    say(f"training the teacher: {recipe.student} on {recipe.dataset}, {recipe.epochs} epochs on {device}")
    began = time.monotonic()
    with _Bar(recipe, say) as bar:
        card = teachers.train(recipe, data, data_fingerprint, storage, device, bar.step, say)
    took = duration(time.monotonic() - began)
    kept = storage.shown("teachers", card.fingerprint)
    say(f"trained in {took}: test accuracy {100 * (card.test_accuracy or 0):.2f} %; kept in {kept}")
    return card


def local_device(gpus: float | None) -> str:
    """Where the driver itself computes: a GPU if there is one and it is wanted."""
    return "cuda" if gpus != 0 and torch.cuda.is_available() else "cpu"


class _Bar:
    """Progress over all steps of all epochs; the pace is that of this session, so a resumed training's ETA is right."""

    LINE_EVERY_S = 60.0

    def __init__(self, recipe: RunSpec, say: Say) -> None:
        self.recipe, self.say = recipe, say
        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task(recipe.student, total=1.0, state="")
        self.first: tuple[float, float] | None = None
        self.said = time.monotonic()

    def __enter__(self) -> _Bar:
        self.bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.stop()

    def step(self, epoch: int, step: int, steps: int, row: Row | None) -> None:
        share, now = (epoch + step / steps) / self.recipe.epochs, time.monotonic()
        if self.first is None:
            self.first = (share, now)
        pace = (share - self.first[0]) / max(1e-9, now - self.first[1])
        eta = duration((1 - share) / pace) if pace > 0 else "–"
        accuracy = "" if row is None else f", {100 * self._accuracy(row):.2f} %"
        state = f"epoch {epoch + 1} of {self.recipe.epochs}{accuracy}, ETA {eta}"
        self.bar.update(self.task, completed=share, state=state)
        if not self.console.is_terminal and now - self.said > self.LINE_EVERY_S:
            self.said = now
            self.say(f"  {self.recipe.student}: {state}")

    def _accuracy(self, row: Row) -> float:
        return row["validation_accuracy"] if self.recipe.protocol == "holdout" else row["test_accuracy"]
