"""A sweep from one call: what is asked, less what is done, run. Ray waits until it is needed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from kd_trainable.spec import FIELDS, RunSpec
from kd_trainable.tuning import results
from kd_trainable.tuning.about import FROM_PYTHON, About, Origin
from kd_trainable.tuning.ground import require_room, sole_driver
from kd_trainable.tuning.loggers.book import Book
from kd_trainable.tuning.plan import Names, counts_as_done, grid_runs, require_name, results_of, teacher_recipe
from kd_trainable.tuning.searchers import SEARCHERS, Proposer, study_key
from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.space import Between, Space
from kd_trainable.tuning.standing import Standing, needs_teacher, passes_with_kept, stand, with_teacher
from kd_trainable.tuning.store import RunFolder, Storage
from kd_trainable.tuning.study import Remembered, copy_of_study, journal_path, open_study
from kd_trainable.vocabulary import InputError, nearest

if TYPE_CHECKING:
    from kd_trainable.tuning.conductor import Conductor
    from kd_trainable.tuning.driver import Job

Say = Callable[[str], None]


class Beside(NamedTuple):
    """What is written of a sweep beside its runs: sweep.json, and what its loggers show."""

    about: About
    book: Book


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
    for name in rest.keys() - set(FIELDS):
        raise InputError(f"{name}: no such argument{nearest(name, [*FIELDS, *Settings.__dataclass_fields__])}")
    swept = {k: v for k, v in rest.items() if isinstance(v, Between) or (isinstance(v, list) and not _schedule(k, v))}
    fixed = {k: v for k, v in rest.items() if k not in swept}
    space = Space(fixed, [{**swept, **block} for block in blocks], list(seeds), baselines)
    return space, settings or Settings(**own)


def _schedule(name: str, value: list[Any]) -> bool:
    """Whether a list is one value, not several: [[epoch, value], ...], or milestones."""
    return name == "milestones" or (
        name in ("temperature", "alpha") and bool(value) and isinstance(value[0], list | tuple)
    )


def run(name: str, space: Space, settings: Settings, say: Say, origin: Origin = FROM_PYTHON) -> pd.DataFrame:
    """``sweep`` for a space and settings."""
    require_name(name)
    standing = stand(space, settings)
    space = with_teacher(space, standing, settings)
    storage = standing.storage
    with About(storage, name, origin) as about, Book(settings.loggers, storage, name, say) as book:
        runs, teacher = _all_done(name, space, settings, standing), standing.names.teacher
        if runs is None:
            runs, teacher = _run_missing(name, space, settings, standing, Beside(about, book), say)
        else:
            say(f"all {len(runs)} runs are done already; nothing to start")
            about.keep(space, settings, standing.card)
        found = {n: results.beside(teacher or "", result) for n, result in results_of(storage, runs).items()}
        book.complete(found)
        return results.write_tables(name, storage, runs, found, teacher or "")


def _all_done(name: str, space: Space, settings: Settings, standing: Standing) -> dict[str, RunSpec] | None:
    """The sweep's runs when nothing is left to run, else None. Changes nothing."""
    if standing.teacher_missing or settings.rerun:
        return None
    if settings.searcher == "optuna" and not standing.storage.read(journal_path(name)):
        return None
    with copy_of_study(standing.storage, name) as journal:
        conductor = make_conductor(space, settings, standing.storage, standing.names, journal)
        return conductor.runs if conductor.settled() else None


def make_conductor(
    space: Space,
    settings: Settings,
    storage: Storage,
    names: Names,
    journal: Path,
    keep: Callable[[], None] = lambda: None,
) -> Conductor:
    """The conductor of a sweep: what it has to hand out, and what of it is done. ``keep``: see study.open_study."""
    from kd_trainable.tuning.driver import conductor_of

    proposer = proposer_of(space, settings, names, journal)
    if settings.searcher == "optuna":
        proposer = Remembered(proposer, keep)
    return conductor_of(space, settings, storage, names, proposer)


def proposer_of(space: Space, settings: Settings, names: Names, journal: Path) -> Proposer:
    """The sweep's searcher; a study belongs to one space, data, teacher and scheduler."""
    key = study_key(space, names.data, names.teacher or "", settings.scheduler)
    return SEARCHERS[settings.searcher](space, settings.num_samples, journal, key)


def say_plan(space: Space, settings: Settings, standing: Standing, say: Say) -> None:
    """What will be run, and what the teacher costs."""
    for name in space.idle():
        say(f"{name}: has no effect in this sweep")
    if settings.searcher != "grid":
        say(f"{settings.searcher}: {settings.num_samples} cells x {len(space.seeds)} seeds")
        return
    runs = grid_runs(space, standing.names)
    done = results_of(standing.storage, runs).values()
    count = 0 if standing.teacher_missing else sum(counts_as_done(result, settings.scheduler) for result in done)
    again = ", run again" if settings.rerun and count else ""
    cells = f"{len(space.cells())} cells and their baselines" if space.baselines else f"{len(space.cells())} cells"
    say(f"{len(runs)} runs: {cells} x {len(space.seeds)} seeds; {count} done{again}")
    passes = passes_with_kept(space, list(runs.values()), standing)
    if passes.usual:
        say(passes.line())


def _run_missing(
    name: str, space: Space, settings: Settings, standing: Standing, beside: Beside, say: Say
) -> tuple[dict[str, RunSpec], str | None]:
    """The sweep's runs, all ended, and the identity of the teacher that they had."""
    from kd_trainable.data.load import load
    from kd_trainable.tuning import driver
    from kd_trainable.tuning.checks import check_kept, check_networks, fetch_weights
    from kd_trainable.tuning.cluster import cluster, gpus_per_trial, require_shared
    from kd_trainable.tuning.teach import local_device, verified_teacher

    base, device = space.base, local_device(settings.gpus_per_trial)
    recipe = teacher_recipe(space, settings) if needs_teacher(space) and standing.card is None else None
    require_room(standing.storage)
    with cluster(settings) if settings.address else contextlib.nullcontext():
        # all that can be refused is, before anything is written and before a teacher is trained
        gpus_per_trial(settings)
        if settings.address:
            require_shared(standing.storage)
        check_networks(space, recipe, standing.known)
        fetch_weights(space, recipe)
        data = load(base.dataset, settings.data_dir)
        verified: list[str] = []
        found = verified_teacher(standing, None, data, device, verified.append) if standing.teacher else None
        with sole_driver(standing.storage):
            say_plan(space, settings, standing, say)
            for line in verified:
                say(line)
            if needs_teacher(space) and found is None:
                found = verified_teacher(standing, recipe, data, device, say)
            names = Names(standing.names.data, found.card.identity if found else "")
            if found is not None:
                kept = ((driver.kept_folder(space, names, found.card, p), p) for p in space.kept_pixels())
                check_kept(standing.storage, kept, found, data, base.protocol, device, say)
            job = driver.Job(name, space, settings, standing.storage, names, data, found)
            return _run_job(job, beside, say), names.teacher


def _run_job(job: Job, beside: Beside, say: Say) -> dict[str, RunSpec]:
    from kd_trainable.tuning import driver
    from kd_trainable.tuning.cluster import cluster

    job.storage.delete_folder("scratch" if job.storage.local else f"scratch/{job.name}")  # of a driver that was killed
    if job.settings.rerun:
        forget(job)
    beside.about.begin(job.space, job.settings, None if job.teacher is None else job.teacher.card)
    with open_study(job.storage, job.name) as (journal, keep), cluster(job.settings):
        conductor = make_conductor(job.space, job.settings, job.storage, job.names, journal, keep)
        made = driver.run(job, conductor, beside.book)
        if job.teacher is not None:
            say(f"teacher passes made and kept: {made}")
        return conductor.runs


def forget(job: Job) -> None:
    """Deletes what is done of a sweep: its runs, and its searcher's study."""
    with copy_of_study(job.storage, job.name) as journal:
        for name in make_conductor(job.space, job.settings, job.storage, job.names, journal).runs:
            RunFolder(job.storage, name).forget()
    job.storage.delete(journal_path(job.name))
