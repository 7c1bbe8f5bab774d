"""A sweep from one call: what is asked, less what is done, run; and the tables made from its runs. Ray waits until needed."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from kd_trainable.spec import RunSpec, spec_id
from kd_trainable.tuning import results
from kd_trainable.tuning.facts import facts
from kd_trainable.tuning.plan import (
    Names,
    Passes,
    Result,
    check_against_data,
    counts_as_done,
    grid_runs,
    passes_of,
    results_of,
    teacher_recipe,
)
from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.space import Between, Space
from kd_trainable.tuning.store import RunFolder, Storage, sole_driver
from kd_trainable.vocabulary import InputError, require_known

if TYPE_CHECKING:
    from kd_trainable.data.images import ImageData
    from kd_trainable.teacher import Card, Teacher
    from kd_trainable.tuning.driver import Job

Say = Callable[[str], None]
ROOM_NEEDED = 64 * 2**20  # bytes free on a local results folder before anything starts


def sweep(
    name: str = "sweep",
    *,
    blocks: Sequence[Mapping[str, Any]] = ({},),
    seeds: Sequence[int] = (0,),
    baselines: bool = True,
    settings: Settings | None = None,
    say: Say = lambda line: print(line, file=sys.stderr),
    **fields: Any,
) -> pd.DataFrame:
    """Runs what is missing of a sweep and returns its runs, one row each (records.RUN_COLUMNS).

    ``fields`` are fields of RunSpec; a list of values sweeps one, as does a range (Between). What is no field is a
    setting: ``storage='results'``, ``teacher='FILE'``, ``searcher='optuna'``; see Settings. ``blocks`` are further
    products of lists, whose cells are added up. ::

        runs = sweep("first", dataset="digits", student="digits_mlp", teacher_recipe={"student": "digits_cnn"},
                     temperature=[1, 4], alpha=[0.5, 0.9], mode="kl", seeds=[0, 1], epochs=10, augment="none")

    Raises InputError, in one line, for what cannot be done. Interrupted, it loses nothing: call it again.
    """
    space, chosen = question(blocks, seeds, baselines, settings, fields)
    return run(name, space, chosen, say)


def question(
    blocks: Sequence[Mapping[str, Any]],
    seeds: Sequence[int],
    baselines: bool,
    settings: Settings | None,
    fields: Mapping[str, Any],
) -> tuple[Space, Settings]:
    """The space and settings that ``sweep``'s arguments speak of."""
    own = {k: v for k, v in fields.items() if k in Settings.__dataclass_fields__}
    if settings is not None and own:
        raise InputError(f"settings: given as settings and as {', '.join(own)}; give one of them")
    rest = {k: v for k, v in fields.items() if k not in own}
    swept = {k: v for k, v in rest.items() if isinstance(v, Between) or (isinstance(v, list) and not _schedule(k, v))}
    fixed = {k: v for k, v in rest.items() if k not in swept}
    space = Space(fixed, [{**swept, **block} for block in blocks], list(seeds), baselines)
    return space, settings or Settings(**own)


def _schedule(name: str, value: list[Any]) -> bool:
    """Whether a list is one value, not several: [[epoch, value], ...], or milestones."""
    return name == "milestones" or (
        name in ("temperature", "alpha") and bool(value) and isinstance(value[0], list | tuple)
    )


@dataclass(frozen=True)
class Standing:
    """A sweep as it stands: its storage, the names of its runs, the teacher's card where there is one."""

    storage: Storage
    names: Names
    card: Card | None
    teacher: Teacher | None

    @property
    def teacher_missing(self) -> bool:
        """Whether the teacher is yet to be trained."""
        return not self.names.teacher


def stand(space: Space, settings: Settings) -> Standing:
    """Looks at what is there; changes nothing. Raises InputError for all that is wrong with what is asked."""
    settings.metric(space)
    base = space.spec({}, space.seeds[0])
    known = facts(base.dataset, settings.data_dir)
    check_against_data(space, settings)
    storage = Storage(settings.storage)
    if not needs_teacher(space):
        return Standing(storage, Names(known.fingerprint, "none needed"), None, None)
    from kd_trainable.tuning import teachers

    if settings.teacher is not None:
        if settings.teacher_model is not None:
            require_model(settings.teacher_model)
        channels = known.shape[0]
        found = teachers.given(
            settings.teacher, settings.teacher_model, base, known.fingerprint, known.classes, channels
        )
        return Standing(storage, Names(known.fingerprint, found.card.fingerprint), found.card, found)
    card = teachers.kept(storage, spec_id(teacher_recipe(space, settings), known.fingerprint))
    return Standing(storage, Names(known.fingerprint, card.fingerprint if card else ""), card, None)


def needs_teacher(space: Space) -> bool:
    """Whether any run is distilled."""
    return any(method != "none" for method in space.values("method"))


def require_model(name: str) -> None:
    """Raises InputError unless ``name`` is a network's."""
    from kd_trainable.models import MODELS

    if ":" not in name:
        require_known("teacher_model", name, MODELS, ", or your own as package.module:callable")


def run(name: str, space: Space, settings: Settings, say: Say) -> pd.DataFrame:
    """``sweep`` for a space and settings."""
    standing = stand(space, settings)
    space = with_teacher(space, standing, settings)
    if settings.searcher == "grid":
        runs = grid_runs(space, standing.names)
        done = {} if settings.rerun or standing.teacher_missing else finished(standing, runs, settings)
        if runs and len(done) == len(runs):
            say(f"all {len(runs)} runs are done already; nothing to start")
            return write_tables(name, standing.storage, runs, results_of(standing.storage, runs))
        say_plan(space, runs, done, standing, say)
    runs = _run_missing(name, space, settings, standing, say)
    return write_tables(name, standing.storage, runs, results_of(standing.storage, runs))


def with_teacher(space: Space, standing: Standing, settings: Settings) -> Space:
    """The space with its teacher's network named, which is a field of every distilled run."""
    if not needs_teacher(space):
        return space
    name = standing.card.architecture if standing.card else teacher_recipe(space, settings).student
    return Space({**space.fixed, "teacher": name}, space.blocks, space.seeds, space.baselines)


def finished(standing: Standing, runs: Mapping[str, RunSpec], settings: Settings) -> dict[str, Result]:
    """The results that count as done."""
    found = results_of(standing.storage, runs)
    return {name: result for name, result in found.items() if counts_as_done(result, settings.scheduler)}


def say_plan(
    space: Space, runs: Mapping[str, RunSpec], done: Mapping[str, Result], standing: Standing, say: Say
) -> None:
    """What will be run, and what the teacher costs."""
    cells = len(space.cells())
    say(f"{len(runs)} runs: {cells} cells and their baselines x {len(space.seeds)} seeds; {len(done)} done already")
    passes = passes_with_kept(space, list(runs.values()), standing)
    if passes.usual:
        say(passes.line())


def passes_with_kept(space: Space, runs: Sequence[RunSpec], standing: Standing) -> Passes:
    """The passes that runs need, and how many of them are kept."""
    passes = passes_of(runs, space.seeds)
    if standing.card is None:
        return passes
    from kd_trainable import logits

    base = space.spec({}, space.seeds[0])
    kept = 0
    for augment in space.values("augment"):
        folder = logits.folder_name(standing.card, standing.names.data, base.protocol, augment)
        there = set(standing.storage.names(f"logits/{folder}"))
        kept += sum(shard.file in there for shard in logits.passes(space.seeds, base.epochs, augment))
    return Passes(passes.needed, passes.usual, kept)


def _run_missing(name: str, space: Space, settings: Settings, standing: Standing, say: Say) -> dict[str, RunSpec]:
    from kd_trainable.data.load import load
    from kd_trainable.tuning.teach import local_device, verified_teacher

    base = space.spec({}, space.seeds[0])
    device = local_device(settings.gpus_per_trial)
    data = load(base.dataset, settings.data_dir)
    require_room(standing.storage)
    with sole_driver(standing.storage):
        found = None
        if needs_teacher(space):
            recipe = None if standing.teacher or standing.card else teacher_recipe(space, settings)
            found = verified_teacher(standing, recipe, data, device, say)
        names = Names(standing.names.data, found.card.fingerprint if found else "")
        if settings.rerun:
            for run_name in grid_runs(space, names) if settings.searcher == "grid" else ():
                RunFolder(standing.storage, run_name).forget()
        return _conduct(name, space, settings, standing.storage, names, data, found)


def _conduct(
    name: str,
    space: Space,
    settings: Settings,
    storage: Storage,
    names: Names,
    data: ImageData,
    found: Teacher | None,
) -> dict[str, RunSpec]:
    from kd_trainable.tuning import driver
    from kd_trainable.tuning.searchers import SEARCHERS, study_key

    with tempfile.TemporaryDirectory() as scratch:
        journal = Path(storage.root if storage.local else scratch) / "sweeps" / name / "study.journal"
        if settings.rerun:
            journal.unlink(missing_ok=True)
        key = study_key(space, names.data, names.teacher)
        proposer = SEARCHERS[settings.searcher](space, settings.num_samples, journal, key)
        job: Job = driver.Job(name, space, settings, storage, names, data, found, proposer)
        with driver.cluster(settings):
            return driver.run(job).runs


def require_room(storage: Storage) -> None:
    """Raises InputError where a local results folder has hardly any room, or lies where nothing can be written."""
    if not storage.local:
        return
    folder = Path(storage.root)
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise InputError(f"storage: {storage.root} cannot be written to: {error.strerror}") from None
    if free < ROOM_NEEDED:
        raise InputError(f"storage: {storage.root} has {free >> 20} MiB free; at least {ROOM_NEEDED >> 20} MiB needed")


def write_tables(name: str, storage: Storage, runs: Mapping[str, RunSpec], found: Mapping[str, Result]) -> pd.DataFrame:
    """Makes runs.parquet and epochs.parquet of the sweep from its runs, those without a result included."""
    rows = [found.get(n) or _unfinished(storage, n, spec) for n, spec in runs.items()]
    frame = results.runs_frame(rows)
    storage.write_json(f"sweeps/{name}/ids.json", list(runs))
    for file, table in (("runs", frame), ("epochs", results.epochs_frame(rows))):
        buffer = io.BytesIO()
        table.to_parquet(buffer)
        storage.write(f"sweeps/{name}/{file}.parquet", buffer.getvalue())
    return frame


def _unfinished(storage: Storage, name: str, spec: RunSpec) -> dict[str, Any]:
    return {
        "spec_id": name,
        "status": "unfinished",
        "spec": spec.flat(),
        "attempts": RunFolder(storage, name).attempts(),
        "history": [],
    }
