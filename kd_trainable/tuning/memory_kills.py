"""A worker that Ray's memory monitor killed is a worker that died, and no end of the sweep.

Tune 2.60 knows ``RayActorError`` and ``RayTaskError`` of an actor. Where a call was under way, Ray raises
``OutOfMemoryError``, which is neither, and ``RayActorManager._actor_task_failed`` ends all of Tune by it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ray.air.execution._internal import actor_manager
from ray.exceptions import OutOfMemoryError


@contextlib.contextmanager
def count_as_deaths() -> Iterator[None]:
    """In the block, Tune takes the one for the other: it tries the run again, or gives it up alone."""
    known = actor_manager.RayActorError
    actor_manager.RayActorError = (known, OutOfMemoryError)
    try:
        yield
    finally:
        actor_manager.RayActorError = known
