"""Work of the driver that needs a trial's resources: on a cluster it is a task on some node, and is heard here."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from kd_trainable.tuning.nodes import await_node
from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.teach import local_device
from kd_trainable.tuning.text import one_line
from kd_trainable.vocabulary import InputError

Say = Callable[[str], None]
HEAR_S = 0.5


class Stored(Mapping[str, np.ndarray]):
    """Arrays that lie in the object store once, whoever is given them: they travel as a reference to them."""

    def __init__(self, reference: Any) -> None:
        self.reference = reference

    @classmethod
    def put(cls, arrays: Mapping[str, np.ndarray]) -> Stored:
        """Puts the arrays into the connected cluster's store."""
        return cls(ray.put(dict(arrays)))

    def __getitem__(self, name: str) -> np.ndarray:
        return self._views[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def __reduce__(self) -> tuple[Any, ...]:
        return Stored, (self.reference,)

    @cached_property
    def _views(self) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = ray.get(self.reference)
        return found


class Mailbox:
    """An actor beside the driver that keeps lines until they are taken."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        """One more line."""
        self.lines.append(line)

    def take(self) -> list[str]:
        """The lines that came since they were last taken."""
        taken, self.lines = self.lines, []
        return taken


def compute(function: Callable[..., Any], *arguments: Any, settings: Settings, gpus: float, say: Say) -> Any:
    """``function(*arguments, device, say)``: in this process, or where an address is given in a task on its cluster.

    The head of a cluster may have neither GPU nor power. A task whose node is lost is tried again on another. Raises
    InputError where the function does, and where its worker died as often as a run's may.
    """
    if not settings.address:
        return function(*arguments, local_device(settings.gpus_per_trial), say)
    await_node(settings, gpus, say)
    mailbox = ray.remote(Mailbox).options(num_cpus=0, scheduling_strategy=beside_driver()).remote()
    wanted: dict[str, Any] = {"num_cpus": settings.cpus_per_trial, "num_gpus": gpus, "max_retries": settings.retries}
    if "://" not in str(settings.storage):  # what it writes lies on this machine's disk
        wanted["scheduling_strategy"] = beside_driver()
    path = [os.path.abspath(folder) for folder in sys.path]
    task = ray.remote(_there).options(**wanted).remote(function, mailbox, path, gpus, *arguments)
    try:
        return _heard(task, mailbox, say)
    finally:
        with contextlib.suppress(ray.exceptions.RayError):
            ray.cancel(task, force=True)  # of a session that goes on after a Ctrl-C
        ray.kill(mailbox)


def beside_driver() -> NodeAffinitySchedulingStrategy:
    """The driver's own node. With soft=True, who asks for no processor is put on any node: ray#25360."""
    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def _there(function: Callable[..., Any], mailbox: Any, path: Sequence[str], gpus: float, *arguments: Any) -> Any:
    sys.path += [folder for folder in path if folder not in sys.path]
    device = "cuda" if gpus else "cpu"
    return function(*arguments, device, lambda line: mailbox.add.remote(line))


def _heard(task: Any, mailbox: Any, say: Say) -> Any:
    ready: list[Any] = []
    while not ready:
        ready, _ = ray.wait([task], timeout=HEAR_S)
        with contextlib.suppress(ray.exceptions.RayError):  # words that are lost with their node
            for line in ray.get(mailbox.take.remote()):
                say(line)
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, InputError):
            raise error.cause from None
        raise
    except ray.exceptions.RayError as error:
        raise InputError(f"teacher: the task that computes with it was lost: {one_line(error)}") from None
