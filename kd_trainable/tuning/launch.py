"""What is missing of a sweep, run: all that can be refused first, then the teacher, then the trials."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import pandas as pd
import ray

from kd_trainable.data.images import ImageData
from kd_trainable.data.load import load
from kd_trainable.spec import RunSpec
from kd_trainable.teacher import Teacher
from kd_trainable.tuning import driver, teachers
from kd_trainable.tuning.checks import check_kept, check_networks, fetch_weights
from kd_trainable.tuning.cluster import cluster, connected
from kd_trainable.tuning.conductor import Conductor
from kd_trainable.tuning.driver import Job
from kd_trainable.tuning.elsewhere import Stored, compute
from kd_trainable.tuning.ground import require_room, sole_driver
from kd_trainable.tuning.nodes import gpus_per_trial, require_shared
from kd_trainable.tuning.plan import Names, teacher_recipe
from kd_trainable.tuning.run_folder import RunFolder
from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.space import Space
from kd_trainable.tuning.standing import Standing, needs_teacher
from kd_trainable.tuning.study import copy_of_study, journal_path, open_study
from kd_trainable.tuning.sweep import Beside, Finish, Say, make_conductor, say_plan
from kd_trainable.tuning.teach import train_with_bar, verified_teacher
from kd_trainable.tuning.temporary import own_folder

Given: TypeAlias = ImageData | ray.ObjectRef  # the data set; on a cluster where it lies in its object store


def run_missing(
    name: str, space: Space, settings: Settings, standing: Standing, beside: Beside, say: Say, finish: Finish
) -> pd.DataFrame:
    """The sweep's runs, all ended: what ``finish`` makes of them while the results folder is still ours."""
    recipe = teacher_recipe(space, settings) if needs_teacher(space) and standing.card is None else None
    require_room(standing.storage)
    with connected(settings):
        # all that can be refused is, before anything is written and before a teacher is trained
        gpus = gpus_per_trial(settings)
        if ray.is_initialized():
            require_shared(standing.storage)
        check_networks(space, recipe, standing.known)
        fetch_weights(space, recipe)
        data: Given = load(space.base.dataset, settings.data_dir)
        if settings.address:
            data = ray.put(data)  # once: for the tasks on the teacher and for all trials
        verified: list[str] = []
        given = standing.teacher
        found = None
        if given and not settings.address:  # on a cluster a node may have to come first, and the folder be ours
            found = _verified(standing, None, data, settings, gpus, verified.append)
        with sole_driver(standing.storage) as lease:
            say_plan(space, settings, standing, say)
            for line in verified:
                say(line)
            if needs_teacher(space) and found is None:
                found = _verified(standing, None if given else recipe, data, settings, gpus, say)
            names = Names(standing.names.data, found.card.identity if found else "")
            if found is not None:
                _check_kept(space, standing, names, found, data, settings, gpus, say)
            job = Job(name, space, settings, standing.storage, names, data, found, gpus, say, lease.require_held)
            conductor = _run_job(job, beside)
            return finish(conductor.runs, names.teacher, conductor.rows)


def _verified(
    standing: Standing, recipe: RunSpec | None, data: Given, settings: Settings, gpus: float, say: Say
) -> Teacher:
    if settings.address:
        standing = _stored(standing, recipe, data, settings, gpus, say)
    found: Teacher = compute(verified_teacher, standing, recipe, data, settings=settings, gpus=gpus, say=say)
    return found


def _stored(
    standing: Standing, recipe: RunSpec | None, data: Given, settings: Settings, gpus: float, say: Say
) -> Standing:
    """With the teacher, trained if need be, in the object store: there once for the tasks on it and for all trials."""
    card = standing.card
    if standing.teacher is None and card is None:
        trained = (recipe, data, standing.names.data, standing.storage)
        card = compute(train_with_bar, *trained, settings=settings, gpus=gpus, say=say)
    assert card is not None
    found = standing.teacher or teachers.load_kept(standing.storage, card)
    return replace(standing, card=found.card, teacher=Teacher(found.card, Stored.put(found.arrays)))


def _check_kept(
    space: Space,
    standing: Standing,
    names: Names,
    found: Teacher,
    data: Given,
    settings: Settings,
    gpus: float,
    say: Say,
) -> None:
    """Drops kept logits that are not this teacher's."""
    storage, protocol = standing.storage, space.base.protocol
    folders = [(driver.kept_folder(space, names, found.card, p), p) for p in space.kept_pixels()]
    there = [(folder, pixels) for folder, pixels in folders if storage.names(folder)]
    if there:
        compute(check_kept, storage, there, found, data, protocol, settings=settings, gpus=gpus, say=say)


def _run_job(job: Job, beside: Beside) -> Conductor:
    if job.settings.rerun:
        forget(job)
    beside.about.begin(job.space, job.settings, None if job.teacher is None else job.teacher.card)
    with own_folder() as temporary, open_study(job.storage, job.name) as (journal, keep):
        with cluster(job.settings, temporary) as session:
            conductor = make_conductor(job.space, job.settings, job.storage, job.names, journal, keep)
            made = driver.run(job, conductor, beside.book, temporary / "tune")
            session.keep_logs = any(row.get("status") in ("failed", "lost") for row in conductor.rows.values())
        if session.logs:
            job.say(f"what failed has its traceback in the logs of its worker: {session.logs}")
        if job.teacher is not None:
            job.say(f"teacher passes made and kept: {made}")
        return conductor


def forget(job: Job) -> None:
    """Deletes what is done of a sweep: its runs, and its searcher's study."""
    with copy_of_study(job.storage, job.name) as journal:
        for name in make_conductor(job.space, job.settings, job.storage, job.names, journal).runs:
            RunFolder(job.storage, name).forget()
    job.storage.delete(journal_path(job.name))
