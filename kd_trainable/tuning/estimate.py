"""--dry-run: the runs, what is done, the teacher's cost, and an estimate from one step timed on random pixels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from kd_trainable.engine.process import prepare_process
from kd_trainable.models.start import to_fetch
from kd_trainable.rules import training_images
from kd_trainable.spec import RunSpec, irrelevant
from kd_trainable.terms import declared
from kd_trainable.tuning.checks import check_networks, pretrained_networks
from kd_trainable.tuning.facts import ABSENT, facts_without_download
from kd_trainable.tuning.nodes import gpus_per_trial
from kd_trainable.tuning.pace import Pace, pace_of, pass_pace
from kd_trainable.tuning.plan import Passes, counts_as_done, grid_runs, require_name, results_of, teacher_recipe
from kd_trainable.tuning.searchers import draw_random
from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.space import Cell, Space, identity
from kd_trainable.tuning.standing import Standing, needs_teacher, passes_with_kept, stand, with_teacher
from kd_trainable.tuning.study import copy_of_study, journal_path
from kd_trainable.tuning.sweep import proposer_of
from kd_trainable.tuning.teach import local_device
from kd_trainable.tuning.text import device_name, duration
from kd_trainable.vocabulary import DatasetEntry


def dry_run(name: str, space: Space, settings: Settings) -> str:
    """The text of --dry-run. Starts nothing, writes nothing, downloads nothing, needs no teacher."""
    require_name(name)
    standing = stand(space, settings, facts_without_download(space.base.dataset, settings.data_dir))
    space = with_teacher(space, standing, settings)
    if not settings.address:
        gpus_per_trial(settings)
    recipe = teacher_recipe(space, settings) if needs_teacher(space) and standing.card is None else None
    check_networks(space, recipe, standing.known)
    cells = _cells(name, space, settings, standing)
    listed = Space(space.fixed, [{k: [v] for k, v in cell.items()} for cell in cells], space.seeds, space.baselines)
    runs = grid_runs(listed, standing.names)
    done = {n for n, r in results_of(standing.storage, runs).items() if counts_as_done(r, settings.scheduler)}
    if standing.teacher_missing or settings.rerun:
        done = {n for n in done if not runs[n].taught and not settings.rerun}
    epochs = next(iter(runs.values())).epochs
    lines = [f"{name}: {len(runs)} runs of {epochs} epochs on seeds {' '.join(map(str, space.seeds))}"]
    lines += _listing(listed, runs, done, standing)
    absent = standing.known.fingerprint == ABSENT
    note = f" (as far as can be told before {space.base.dataset} is downloaded)" if absent else ""
    lines.append(f"done already: {len(done)} of {len(runs)} runs{note}")
    if settings.searcher == "optuna":
        lines.append(
            f"optuna proposes the {settings.num_samples} cells as it goes; the ones above stand for their cost"
        )
    lines += [f"{name}: has no effect in this sweep" for name in space.idle()]
    absent_weights = {name: to_fetch(name) for name in pretrained_networks(space, recipe)}
    lines += [f"to be downloaded first: {url}, for {name}" for name, url in absent_weights.items() if url]
    passes = passes_with_kept(listed, list(runs.values()), standing)
    if passes.usual:
        lines.append(passes.line())
    pending = [spec for n, spec in runs.items() if n not in done]
    return "\n".join([*lines, *_cost(space, settings, standing, pending, passes)])


def _cells(name: str, space: Space, settings: Settings, standing: Standing) -> list[Cell]:
    """The sweep's cells; for optuna those of its study so far, and random ones in place of those to come."""
    if settings.searcher == "grid":
        return space.cells()
    samples, seen = settings.num_samples or 1, []
    if settings.searcher == "optuna" and standing.storage.read(journal_path(name)):
        with copy_of_study(standing.storage, name) as journal:
            seen = proposer_of(space, settings, standing.names, journal).past()
    known = {identity(space.spec(cell, 0)) for cell in seen}
    drawn = [cell for cell in draw_random(space, samples) if identity(space.spec(cell, 0)) not in known]
    return [*seen, *drawn[: max(0, samples - len(seen))]]


def _listing(space: Space, runs: Mapping[str, RunSpec], done: set[str], standing: Standing) -> list[str]:
    """A line a cell: what is swept, and how many of its seeds are done."""
    names = sorted({name for block in space.blocks for name in block})
    lines = []
    for cell in space.each_once([*space.baseline_cells(space.cells()), *space.cells()]):
        specs = [space.spec(cell, seed) for seed in space.seeds]
        count = sum(standing.names.name(spec) in done for spec in specs)
        lines.append(f"  {_words(specs[0], names):<60} {count} of {len(specs)} done")
    return lines


def _words(spec: RunSpec, names: Iterable[str]) -> str:
    missing = irrelevant(spec.flat()) | (set() if spec.distilled else {"method"})
    shown = [n for n in names if n not in missing and ("." not in n or n.partition(".")[0] in spec.terms)]
    words = [f"{n} {_short(value_of(spec, n))}" for n in shown]
    return "  ".join(([] if spec.distilled else ["baseline"]) + words) or spec.student


def value_of(spec: RunSpec, name: str) -> Any:
    """What a spec has for a field, or for METHOD.NAME, whose default stands where it is not given."""
    return {**declared(spec.method), **spec.hyperparameters}[name] if "." in name else getattr(spec, name)


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cost(
    space: Space, settings: Settings, standing: Standing, pending: Sequence[RunSpec], passes: Passes
) -> list[str]:
    if not pending:
        return ["nothing to start"]
    device, known = local_device(settings.gpus_per_trial), standing.known
    before = torch.get_num_threads()
    prepare_process(settings.cpus_per_trial)
    students = sum(_run_seconds(spec, known, pace_of(spec, known, device)) for spec in pending)
    missing = passes.needed - passes.kept - passes.live if any(s.taught and not s.live for s in pending) else 0
    teacher = standing.card.architecture if standing.card else settings.teacher_recipe.get("student", "")
    teaching = missing * _pass_seconds(space, teacher, known, device) if missing else 0.0
    torch.set_num_threads(before)  # the teacher is trained before the runs, on all threads
    at_once = _at_once(settings, device)
    training = 0.0
    if standing.teacher_missing and needs_teacher(space):
        recipe = teacher_recipe(space, settings)
        training = _run_seconds(recipe, known, pace_of(recipe, known, device))
    total = training + (students + teaching) / at_once
    name, live = device_name(torch.device(device)), " (live teachers with them)" if passes.live else ""
    return [
        f"estimate on {name}, from steps timed on random pixels just now, {at_once} runs at a time:",
        f"  teacher's training {duration(training)}, teacher passes {duration(teaching / at_once)}, "
        f"students{live} {duration(students / at_once)}: about {duration(total)} in all",
    ]


def _run_seconds(spec: RunSpec, known: DatasetEntry, pace: Pace) -> float:
    images = training_images(known.train_images, spec.protocol)
    evaluated = known.train_images - images + known.test_images
    return spec.epochs * (images * pace.train + evaluated * pace.evaluate)


def _pass_seconds(space: Space, teacher: str, known: DatasetEntry, device: str) -> float:
    """One teacher pass over the training images."""
    base = space.base
    return pass_pace(teacher, base, known, device) * training_images(known.train_images, base.protocol)


def _at_once(settings: Settings, device: str) -> int:
    fit = (os.cpu_count() or 1) // settings.cpus_per_trial
    if device == "cuda":
        fit = min(fit, int(torch.cuda.device_count() / (settings.gpus_per_trial or 0.25)))
    return max(1, min(fit, settings.max_concurrent or fit))
