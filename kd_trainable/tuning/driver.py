"""Runs what is not done: a Ray cluster, the teacher and data put into it once, and Tune over the runs."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.execution import class_cache

from kd_trainable import logits, teacher
from kd_trainable.data.images import ImageData
from kd_trainable.shards import TEST, passes
from kd_trainable.spec import RunSpec
from kd_trainable.teacher import Card, Teacher
from kd_trainable.tuning import deaths, endings, objects
from kd_trainable.tuning.cluster import environment
from kd_trainable.tuning.conductor import Conductor
from kd_trainable.tuning.elsewhere import Stored, beside_driver
from kd_trainable.tuning.live import Live
from kd_trainable.tuning.loggers.book import Book
from kd_trainable.tuning.nodes import await_node
from kd_trainable.tuning.passes import Kept, PassBroker
from kd_trainable.tuning.plan import Names, counts_as_done, grid_runs, results_of
from kd_trainable.tuning.run_folder import RunFolder
from kd_trainable.tuning.schedulers import SCHEDULERS
from kd_trainable.tuning.searchers import Proposer
from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.shared import Shared
from kd_trainable.tuning.space import Space
from kd_trainable.tuning.store import Storage
from kd_trainable.tuning.text import one_line
from kd_trainable.tuning.trainable import DistillationTrial
from kd_trainable.tuning.view import View
from kd_trainable.vocabulary import InputError, Pixels

TUNE_ENVIRONMENT = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the epochs lie in our own results
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # Tune's snapshot is not what a sweep resumes from
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C reaches us as KeyboardInterrupt
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}


@dataclass(frozen=True)
class Job:
    """All that the driver needs to run a sweep, beside its conductor."""

    name: str
    space: Space
    settings: Settings
    storage: Storage
    names: Names
    data: ImageData | ray.ObjectRef
    teacher: Teacher | None
    gpus: float
    """of a trial"""
    say: Callable[[str], None]
    require_held: Callable[[], None]
    """raises InputError once another driver has taken the results folder over"""


def conductor_of(space: Space, settings: Settings, storage: Storage, names: Names, proposer: Proposer) -> Conductor:
    """A conductor over the run store: it knows what is done, and closes what ends."""

    asked = grid_runs(space, names) if settings.searcher == "grid" else {}
    known = results_of(storage, asked)

    def ended(name: str) -> Mapping[str, Any] | None:
        found = known.get(name) if name in asked else RunFolder(storage, name).result()
        return found if counts_as_done(found, settings.scheduler) else None

    def close(name: str, spec: RunSpec, report: Mapping[str, Any]) -> Mapping[str, Any]:
        return endings.close(storage, name, spec, report)

    return Conductor(space, proposer, names.name, ended, close, settings.metric(space))


def run(job: Job, conductor: Conductor, book: Book, scratch: Path) -> int:
    """Runs what the conductor has to hand out, in the connected cluster; returns the teacher passes it made.

    ``scratch``: a folder of this process for Tune's own files, from which nothing is ever read again.
    """
    settings, metric = job.settings, job.settings.metric(job.space)
    conductor.close = _while_held(job, conductor.close)
    await_node(settings, job.gpus, job.say)
    shared = _share(job)
    total = _total(job, conductor)
    epochs = job.space.base.epochs
    brokers = [kept.broker for kept in shared.kept.values()]
    aside = contextlib.redirect_stdout(sys.stderr)  # Ray tells of dead workers there, and stdout is for the table
    with contextlib.ExitStack() as ending:
        for broker in brokers:
            ending.callback(ray.kill, broker)  # with the shards it holds: a session may see many sweeps
        live = Live(job.name, job.storage, job.names.teacher or "", conductor, book, job.require_held)
        view = View(total, len(conductor.rows), epochs, metric, brokers)
        with environment(TUNE_ENVIRONMENT), _credentials_unsaid(), deaths.heard_right(), aside, live, view:
            _tuner(job, conductor, shared, [view, live], total, scratch).fit()
        _require_kept(job, conductor)
        _require_unchanged(job, shared)
        return _made(brokers)


def _tuner(
    job: Job, conductor: Conductor, shared: Shared, callbacks: list[Any], total: int, scratch: Path
) -> tune.Tuner:
    settings = job.settings
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a lost run has its error in its row
    epochs = job.space.base.epochs
    metric, past = settings.metric(job.space), list(conductor.rows.values())
    scheduler = SCHEDULERS[settings.scheduler](metric, epochs, past, conductor.hear_cause)
    trainable = tune.with_parameters(DistillationTrial, shared={"shared": shared})
    return tune.Tuner(
        tune.with_resources(trainable, {"cpu": settings.cpus_per_trial, "gpu": job.gpus}),
        tune_config=tune.TuneConfig(
            search_alg=conductor,
            scheduler=scheduler,
            num_samples=2 * total + 1,  # the conductor says when it is finished
            max_concurrent_trials=settings.max_concurrent,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name=job.name,
            storage_path=str(scratch),  # no trial has a checkpoint of Tune's, so other nodes need not reach it
            # else Tune saves each trial at its end, and on another node leaves the file in /tmp
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=settings.retries),
            callbacks=callbacks,
            verbose=0,
        ),
    )


def _while_held(job: Job, close: Callable[..., Any]) -> Callable[..., Any]:
    """Closes no run that may be a successor's by now."""

    def closed(*arguments: Any) -> Any:
        job.require_held()
        return close(*arguments)

    return closed


@contextlib.contextmanager
def _credentials_unsaid() -> Iterator[None]:
    """Tune hands the driver's to its workers in their runtime environment, which Ray writes to its logs."""
    before = class_cache.ENV_VARS_TO_PROPAGATE
    class_cache.ENV_VARS_TO_PROPAGATE = before - set(objects.CREDENTIALS)
    try:
        yield
    finally:
        class_cache.ENV_VARS_TO_PROPAGATE = before


def _share(job: Job) -> Shared:
    """Puts data and teacher into the object store, once, and starts the broker of passes."""
    found, pixels = job.teacher, job.space.kept_pixels()
    return Shared(
        storage=job.storage,
        data=job.data if isinstance(job.data, ray.ObjectRef) else ray.put(job.data),
        data_fingerprint=job.names.data,
        teacher=None if found is None else _reference(found),
        card=None if found is None else found.card,
        kept={} if found is None else {p: _keep(job, found, p) for p in pixels or [job.space.base.pixels]},
        threads=job.settings.cpus_per_trial,
        gpus=job.gpus,
        metric=job.settings.metric(job.space),
        every_epoch=job.settings.scheduler != "none",
        home="" if "://" in job.storage.uri else ray.get_runtime_context().get_node_id(),
        path=tuple(os.path.abspath(folder) for folder in sys.path),
    )


def _reference(found: Teacher) -> ray.ObjectRef:
    """Where its weights lie in the object store; they are put there now unless they are there already."""
    return found.arrays.reference if isinstance(found.arrays, Stored) else ray.put(found.arrays)


def _keep(job: Job, found: Teacher, pixels: Pixels) -> Kept:
    """Where the logits of one augmentation are kept, and the broker of its passes, and of one over the test images."""
    base, folder = job.space.base, kept_folder(job.space, job.names, found.card, pixels)
    learnt = pixels in job.space.kept_pixels()  # else all teachers run live, and what is kept is of the test images
    needed, table = passes(job.space.seeds, base.epochs, pixels, set(job.storage.names(folder)))
    here = beside_driver()  # not on a spot node
    lasting = {"num_cpus": 0, "max_restarts": 10, "max_task_retries": 10, "scheduling_strategy": here}
    broker = ray.remote(PassBroker).options(**lasting).remote(job.storage, folder, [TEST, *(needed if learnt else [])])
    return Kept(broker, folder, table)


def _made(brokers: list[Any]) -> int:
    """Teacher passes that were computed, as far as the brokers can still tell."""
    with contextlib.suppress(ray.exceptions.RayError):
        return sum(made for made, _, _ in ray.get([broker.counts.remote() for broker in brokers]))
    return 0


def kept_folder(space: Space, names: Names, card: Card, pixels: Pixels) -> str:
    """Where a sweep's kept logits lie in the storage."""
    protocol = space.base.protocol
    return f"logits/{logits.folder_name(card, names.data, protocol, pixels)}"


def _total(job: Job, conductor: Conductor) -> int:
    """Runs that there will be, at most."""
    if job.settings.searcher != "optuna":
        return len(conductor.runs)
    return (job.settings.num_samples or 1) * len(job.space.seeds) * (2 if job.space.baselines else 1)


def _require_kept(job: Job, conductor: Conductor) -> None:
    if conductor.broken is not None:
        raise InputError(f"storage: {job.storage.shown()}: {one_line(conductor.broken)}; then the same command goes on")


def _require_unchanged(job: Job, shared: Shared) -> None:
    if job.teacher is not None and teacher.fingerprint(ray.get(shared.teacher)) != job.teacher.card.fingerprint:
        raise RuntimeError("the teacher's weights in the object store have changed during the sweep")
