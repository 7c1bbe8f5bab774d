"""Ray's memory monitor kills a worker: Tune must take it for a death, and not end the sweep by it."""

from __future__ import annotations

from typing import Any

import pytest
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError

from kd_trainable.tuning.memory_kills import count_as_deaths


class Stand:
    """In the place of Ray's tracked actors and tasks: remembers what it is told."""

    def __init__(self, actor: Stand | None = None) -> None:
        self.told: list[Exception] = []
        self.actor_id, self._tracked_actor = 1, actor

    def _on_error(self, actor: Any, error: Exception) -> None:
        self.told.append(error)


def test_a_death_and_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    manager: Any = RayActorManager.__new__(RayActorManager)
    manager._failed_actor_ids = set()
    monkeypatch.setattr(RayActorManager, "_cleanup_actor", lambda self, tracked_actor: None)
    actor, killed = Stand(), OutOfMemoryError("1 worker was killed")
    with count_as_deaths():
        manager._actor_task_failed(Stand(actor), killed)
    assert (actor.told, manager._failed_actor_ids) == ([killed], {1})
    # should this fail, Ray has learnt it, and memory_kills.py may go
    with pytest.raises(RuntimeError, match="Caught unexpected exception"):
        manager._actor_task_failed(Stand(actor), killed)
