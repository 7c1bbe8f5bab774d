"""What Tune 2.60 makes too much of when a worker dies; in both cases the run is to be tried again, as often as asked.

1. Of an actor, Tune knows ``RayActorError`` and ``RayTaskError``. Where Ray's memory monitor killed it in the middle
   of a call, Ray raises ``OutOfMemoryError``, and ``RayActorManager._actor_task_failed`` ends the whole sweep by it.
2. A worker that dies idle between two runs is noticed when the next run takes it over, which is told to Tune twice: as
   its actor's death, after which the run waits for another actor, and as its reset's failure, which gives a waiting run
   up whatever its retries are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial

_manager_hears = RayActorManager._actor_task_failed
_controller_hears = TuneController._trial_task_failure


@contextlib.contextmanager
def heard_right() -> Iterator[None]:
    """In the block, Tune hears of a death once, and of one for memory as of any other."""
    RayActorManager._actor_task_failed = _as_death
    TuneController._trial_task_failure = _once
    try:
        yield
    finally:
        RayActorManager._actor_task_failed = _manager_hears
        TuneController._trial_task_failure = _controller_hears


def _as_death(manager: Any, tracked_actor_task: Any, exception: Exception) -> None:
    if isinstance(exception, OutOfMemoryError):
        exception = RayActorError(error_msg=str(exception))
    _manager_hears(manager, tracked_actor_task, exception)


def _once(controller: Any, trial: Any, exception: Exception) -> None:
    if isinstance(exception, RayActorError) and trial.status == Trial.PENDING:
        controller._resetting_trials.discard(trial)  # it waits for an actor again; else it would wait for its reset
        return
    _controller_hears(controller, trial, exception)
