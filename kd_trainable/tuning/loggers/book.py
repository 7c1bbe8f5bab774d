"""What happens to runs, handed to every logger, each in a thread of its own: none of them can end or delay a sweep."""

from __future__ import annotations

import contextlib
import importlib
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from kd_trainable.tuning.loggers import LOGGERS, Logger, Row
from kd_trainable.tuning.store import Storage
from kd_trainable.tuning.text import one_line
from kd_trainable.vocabulary import without_secrets

STUCK_S = 60.0  # when a sweep has ended, a logger that has done nothing in this time is left

Say = Callable[[str], None]
Act = Callable[[Logger], None]


class Book:
    """The loggers of a sweep; none is made before the first run. ``say``: one line about each that fails."""

    def __init__(self, names: Sequence[str], storage: Storage, sweep: str, say: Say) -> None:
        self.pages = [Page(name, partial(make, name, storage, sweep), say) for name in names]
        self.logged: dict[str, int] = {}  # runs that are begun, and the last of their epochs that is logged

    def __enter__(self) -> Book:
        return self

    def __exit__(self, *exception: object) -> None:
        for page in self.pages:
            page.close()

    def begin(self, run: str, spec: Row) -> None:
        """A run begins. Again, when it has lost its worker: then it just goes on."""
        if run not in self.logged:
            self.logged[run] = 0
            self._write(lambda logger: logger.begin(run, spec))

    def epochs(self, run: str, rows: Sequence[Row]) -> None:
        """Epochs of a run that has begun; those of an attempt that went over them again are left out."""
        fresh = [row for row in rows if row["epoch"] > self.logged[run]]
        if fresh:
            self.logged[run] = int(fresh[-1]["epoch"])
            self._write(lambda logger: logger.epochs(run, fresh))

    def end(self, run: str, result: Row) -> None:
        """A run that has begun ends, also with epochs that were not heard of before."""
        self.epochs(run, result.get("history", []))
        del self.logged[run]
        self._write(lambda logger: logger.end(run, result))

    def complete(self, found: Mapping[str, Row]) -> None:
        """Logs the results that a logger does not have: of earlier commands, or of other sweeps with the same runs."""
        for run, result in found.items():
            self._write(partial(_complete, run, result))

    def _write(self, act: Act) -> None:
        for page in self.pages:
            page.put(act)


class Page:
    """One logger, in its thread."""

    def __init__(self, name: str, make: Callable[[], Logger], say: Say) -> None:
        self.name, self.make, self.say = name, make, say
        self.queue: queue.SimpleQueue[Act | None] = queue.SimpleQueue()
        self.thread: threading.Thread | None = None
        self.dropped = False

    def put(self, act: Act) -> None:
        """Has it done when what was put before is."""
        if self.dropped:
            return
        if self.thread is None:
            self.thread = threading.Thread(target=self._work, name=f"log {self.name}", daemon=True)
            self.thread.start()
        self.queue.put(act)

    def close(self) -> None:
        """Waits for it to come to its end, as long as it comes nearer to it."""
        if self.thread is None:
            return
        self.queue.put(None)
        left = self.queue.qsize() + 1
        while self.thread.is_alive() and self.queue.qsize() < left:
            left = self.queue.qsize()
            self.thread.join(STUCK_S)
        if self.thread.is_alive():
            self.dropped = True
            self.say(f"log: {self.name}: stuck for {STUCK_S:g} s, and left; the same command logs what is missing")

    def _work(self) -> None:
        try:
            with contextlib.closing(self.make()) as logger:
                while (act := self.queue.get()) is not None:
                    act(logger)
        except Exception as error:  # a full disk, a server that is gone, whatever a logger's own package raises
            if not self.dropped:
                self.say(f"log: {self.name}: {without_secrets(one_line(error))}; the sweep goes on without it")
            self.dropped = True


def make(name: str, storage: Storage, sweep: str) -> Logger:
    """The logger of the table's line ``name``."""
    module, _, attribute = LOGGERS[name].target.partition(":")
    logger: Logger = getattr(importlib.import_module(module), attribute)(storage, sweep)
    return logger


def _complete(run: str, result: Row, logger: Logger) -> None:
    if not logger.has(run, result["status"]):
        logger.begin(run, result["spec"])
        logger.epochs(run, result["history"])
        logger.end(run, result)
