"""A sweep from one call: what is asked, less what is done, run. Ray waits until it is needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from kd_trainable.interrupts import leaving_at_once
from kd_trainable.spec import FIELDS, RunSpec
from kd_trainable.tuning import results
from kd_trainable.tuning.about import FROM_PYTHON, About, Origin
from kd_trainable.tuning.loggers.book import Book
from kd_trainable.tuning.plan import Names, counts_as_done, grid_runs, require_name, results_of
from kd_trainable.tuning.searchers import SEARCHERS, Proposer, study_key
from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.space import Between, Space
from kd_trainable.tuning.standing import Standing, passes_with_kept, stand, with_teacher
from kd_trainable.tuning.store import Storage
from kd_trainable.tuning.study import Remembered, copy_of_study, journal_path
from kd_trainable.tuning.temporary import remove_abandoned
from kd_trainable.vocabulary import InputError, nearest

if TYPE_CHECKING:
    from kd_trainable.tuning.conductor import Conductor

Say = Callable[[str], None]
Finish = Callable[[dict[str, RunSpec], str | None, Mapping[str, Any]], pd.DataFrame]
"""(runs that have all ended, the identity of their teacher, what was heard of them) -> the sweep's table, written"""


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

        def finish(runs: dict[str, RunSpec], teacher: str | None, heard: Mapping[str, Any]) -> pd.DataFrame:
            unseen = {n: row for n, row in heard.items() if "spec" in row}  # told of, on a disk that is not this one
            ended = {**unseen, **results_of(storage, runs)}.items()
            found = {n: results.beside(teacher or "", result) for n, result in ended}
            book.complete(found)
            return results.write_tables(name, storage, runs, found, teacher or "")

        runs = _all_done(name, space, settings, standing)
        if runs is None:
            with leaving_at_once():
                from kd_trainable.tuning.launch import run_missing

            return run_missing(name, space, settings, standing, Beside(about, book), say, finish)
        remove_abandoned()  # of a driver that was killed when it had but its tables to write
        say(f"all {len(runs)} runs are done already; nothing to start")
        about.keep(space, settings, standing.card)
        return finish(runs, standing.names.teacher, {})


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
    with leaving_at_once():
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
