"""What a sweep would run, what of it is done, and what its teacher passes are: from names and files alone. No Ray."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from kd_trainable.rules import refuse, require_room_for_cutout, training_images
from kd_trainable.spec import RunSpec, require_field, spec_id
from kd_trainable.tuning.run_folder import RunFolder
from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.sound import is_name
from kd_trainable.tuning.space import Space
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import DatasetEntry, InputError, require_known

Result = Mapping[str, Any]
AT_ONCE = 16  # requests to an object store


@dataclass(frozen=True)
class Names:
    """How runs are named here: by the data's fingerprint and the teacher's identity.

    ``teacher`` is '' where none is needed, None while it is yet to be trained.
    """

    data: str
    teacher: str | None

    def name(self, spec: RunSpec) -> str:
        """The run's spec_id."""
        return spec_id(spec, self.data, self.teacher or "")


@dataclass(frozen=True)
class Passes:
    """Teacher passes over the training split: needed once for the sweep, and what the usual loop would make.

    ``live``: those of the needed ones that no other run can share.
    """

    needed: int
    usual: int
    kept: int = 0
    live: int = 0

    def line(self) -> str:
        """The two numbers, for people."""
        notes = [f"{self.kept} of them kept already"] if self.kept else []
        notes += [f"{self.live} by teachers that run live, for their features"] if self.live else []
        noted = f" ({', '.join(notes)})" if notes else ""
        instead = f", not {self.usual}" if self.usual != self.needed else ""
        return f"teacher passes over the training images: {self.needed}{noted}{instead}"


def require_name(name: str) -> None:
    """Raises InputError unless ``name`` can be the name of a sweep's folder."""
    if not is_name(name):
        raise refuse("name", repr(name), "a folder's name of letters, digits and . _ + -")


def counts_as_done(result: Result | None, scheduler: str) -> bool:
    """Whether a run need not be run again: finished; failed by its own numbers; or stopped, if a scheduler may stop."""
    if result is None:
        return False
    if result["status"] == "stopped":
        return scheduler != "none"
    return result["status"] == "finished" or (result["status"] == "failed" and result.get("error_kind") == "numbers")


def grid_runs(space: Space, names: Names) -> dict[str, RunSpec]:
    """The runs of a grid by name, baselines first, each once."""
    cells = space.cells()
    runs: dict[str, RunSpec] = {}
    for spec in space.runs([*space.baseline_cells(cells), *cells]):
        runs.setdefault(names.name(spec), spec)
    return runs


def results_of(storage: Storage, runs: Iterable[str]) -> dict[str, Result]:
    """The results there are. An object store, which answers late but many at a time, is asked for several at once."""
    names = list(runs)

    def read(name: str) -> Result | None:
        return RunFolder(storage, name).result()

    with ThreadPoolExecutor(1 if storage.local else AT_ONCE) as pool:
        found = dict(zip(names, pool.map(read, names), strict=True))
    return {name: result for name, result in found.items() if result is not None}


def teacher_recipe(space: Space, settings: Settings) -> RunSpec:
    """The spec that trains this sweep's teacher. Raises InputError where the sweep gives neither recipe nor file."""
    base = space.base
    if not settings.teacher_recipe:
        raise InputError("teacher: none given; name a teacher file, or the fields of a recipe to train one by")
    for name in settings.teacher_recipe:
        require_field(name)
    shared = {"dataset": base.dataset, "protocol": base.protocol}  # a teacher that saw other images would be no judge
    return RunSpec(**{"normalization": base.normalization, **settings.teacher_recipe, **shared, "method": "none"})


def check_against_data(space: Space, known: DatasetEntry) -> None:
    """Raises InputError for what only the data set can tell: its normalisations, and whether a batch fits in it."""
    specs = [space.base]
    if not space.ranges:
        specs = [space.spec(cell, space.seeds[0]) for cell in space.cells()]
    for spec in specs:
        require_known("normalization", spec.normalization, known.normalizations)
        images = training_images(known.train_images, spec.protocol)
        require_room_for_cutout(spec.cutout, spec.dataset, known.shape)
        if spec.batch_size > images:
            raise refuse("batch_size", spec.batch_size, f"{spec.dataset} has {images} training images")
