"""One side of a comparison in a process of its own, so that each has its own environment, threads and memory."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import torch


class Side:
    """A process that keeps what it has made between calls. ``prepare`` is called there first, with its
    number of threads; ``environment`` is set before it starts, as OpenMP wants it.
    """

    def __init__(
        self,
        threads: int,
        prepare: Callable[[int], None] = torch.set_num_threads,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.environment = {**(environment or {}), "OMP_NUM_THREADS": str(threads)}
        context = multiprocessing.get_context("spawn")
        self.pool = ProcessPoolExecutor(1, context, initializer=prepare, initargs=(threads,))

    def __enter__(self) -> Side:
        before = dict(os.environ)
        os.environ.update(self.environment)
        try:
            self.pool.submit(os.getpid).result()  # starts it, with this environment
        finally:
            os.environ.clear()
            os.environ.update(before)
        return self

    def __exit__(self, *exception: object) -> None:
        self.pool.shutdown()

    def start(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Calls a module's function there, without waiting for it."""
        return self.pool.submit(function, *arguments)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a module's function there."""
        return self.start(function, *arguments).result()
