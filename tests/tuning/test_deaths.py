"""A worker dies: Tune must hear of it once, and as of a death, so that its run is tried again and the sweep goes on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.tune.execution.tune_controller import TuneController

from kd_trainable.tuning.deaths import heard_right


class Stand:
    """In the place of Ray's tracked actors and tasks: remembers what it is told."""

    def __init__(self, actor: Stand | None = None) -> None:
        self.told: list[Exception] = []
        self.actor_id, self._tracked_actor = 1, actor

    def _on_error(self, actor: Any, error: Exception) -> None:
        self.told.append(error)


class Resetting:
    """In the place of the trials that wait for their reset."""

    def __init__(self) -> None:
        self.gone: list[Any] = []

    def discard(self, trial: Any) -> None:
        self.gone.append(trial)


def test_killed_for_memory_is_a_death_and_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    manager: Any = RayActorManager.__new__(RayActorManager)
    manager._failed_actor_ids = set()
    monkeypatch.setattr(RayActorManager, "_cleanup_actor", lambda self, tracked_actor: None)
    actor, killed = Stand(), OutOfMemoryError("1 worker was killed")
    with heard_right():
        manager._actor_task_failed(Stand(actor), killed)
    (told,) = actor.told
    assert isinstance(told, RayActorError)
    assert str(killed) in str(told)  # the cause that the run's row then has
    assert manager._failed_actor_ids == {1}
    # should this fail, Ray has learnt it, and half of deaths.py may go
    with pytest.raises(RuntimeError, match="Caught unexpected exception"):
        manager._actor_task_failed(Stand(actor), killed)


@pytest.mark.parametrize(("status", "failures"), [("PENDING", 0), ("RUNNING", 1)])
def test_the_death_of_an_idle_worker_counts_once(status: str, failures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Exception] = []
    monkeypatch.setattr(TuneController, "_process_trial_failure", lambda self, trial, exception: told.append(exception))
    trial: Any = SimpleNamespace(status=status)
    controller: Any = TuneController.__new__(TuneController)
    controller._fail_fast, controller._print_trial_errors = False, False
    resetting = controller._resetting_trials = Resetting()
    with heard_right():
        controller._trial_task_failure(trial, exception=RayActorError())
    assert (len(told), len(resetting.gone)) == (failures, 1 - failures)
