"""sweep.json: what a sweep asked, how it was run, and when; written when it begins and when it ends."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.space import Space
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError, without_secrets

if TYPE_CHECKING:
    from kd_trainable.teacher import Card

SWEEP_FORMAT = 1
PATIENCE_S = 10.0  # with a store that errs, at the end: a Ctrl-C is not to be kept waiting
PACKAGES = ("torch", "torchvision", "ray", "optuna", "numpy", "pandas", "kd-trainable")


class Origin(NamedTuple):
    """Where a sweep comes from: its script's doc, and the command line that goes on with it. '' from Python."""

    question: str = ""
    command: str = ""


FROM_PYTHON = Origin()


class About:
    """RESULTS/sweeps/NAME/sweep.json. As a context it says that the sweep has ended, however that came about.

    Only a driver that was killed leaves ``ended`` null behind without one that is at work; the same command goes on.
    """

    def __init__(self, storage: Storage, name: str, origin: Origin) -> None:
        self.storage, self.name, self.origin = storage, name, origin
        self.path = f"sweeps/{name}/sweep.json"
        self.said: dict[str, Any] | None = None

    def __enter__(self) -> About:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.said is not None:
            with contextlib.suppress(OSError, pa.ArrowException, InputError):  # a full disk has been told of already
                self.storage.hurried(PATIENCE_S).write_json(self.path, self.said | {"ended": now()})

    def begin(self, space: Space, settings: Settings, card: Card | None) -> None:
        """The sweep begins to run what is missing."""
        self.said = self._describe(space, settings, card) | {"began": now(), "ended": None}
        self._write(self.said)

    def keep(self, space: Space, settings: Settings, card: Card | None) -> None:
        """There was nothing to run: it began and ended when it did."""
        before = self.storage.read_json(self.path)
        before = before if isinstance(before, dict) else {}
        began = before.get("began") or now()
        self._write(
            self._describe(space, settings, card) | {"began": began, "ended": before.get("ended") or now()},
        )

    def _describe(self, space: Space, settings: Settings, card: Card | None) -> dict[str, Any]:
        return {
            "sweep_format": SWEEP_FORMAT,
            "name": self.name,
            "question": self.origin.question,
            "command": without_secrets(self.origin.command),
            "storage": self.storage.shown(),
            "metric": settings.metric(space),
            "searcher": settings.searcher,
            "num_samples": settings.num_samples,
            "scheduler": settings.scheduler,
            "teacher": None if card is None else asdict(card),
            "recipe": space.base.flat(),
            "versions": {"python": platform.python_version(), **dict(_versions(PACKAGES))},
        }

    def _write(self, said: dict[str, Any]) -> None:
        self.storage.write_json(self.path, said)


def now() -> str:
    """The time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _versions(packages: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # run from a checkout
            yield name.replace("-", "_"), importlib.metadata.version(name)
