"""While a sweep runs: its tables are made anew now and then, and its loggers hear of it, as runs report."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
from ray.tune import Callback

from kd_trainable.tuning import results
from kd_trainable.tuning.conductor import Conductor
from kd_trainable.tuning.loggers.book import Book
from kd_trainable.tuning.results import Ending
from kd_trainable.tuning.run_folder import RunFolder
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError

TABLES_S = 30.0  # seconds between two writings of the tables, at least
PATIENCE_S = 10.0  # with a store that errs or stalls: Tune waits meanwhile, and the tables can be made another time
TABLES_SHARE = 0.01  # of the time may go into it

Row = Mapping[str, Any]


class Live(Callback):
    """Keeps the epochs that runs under way have reported. ``teacher``: the identity of the sweep's, '' without one.

    ``require_held`` raises InputError once another driver has taken the results folder over.
    """

    def __init__(
        self,
        name: str,
        storage: Storage,
        teacher: str,
        conductor: Conductor,
        book: Book,
        require_held: Callable[[], None] = lambda: None,
    ) -> None:
        self.name, self.storage, self.teacher = name, storage.hurried(PATIENCE_S), teacher
        self.conductor, self.book, self.require_held = conductor, book, require_held
        self.histories: dict[str, list[Row]] = {}  # of runs under way
        self.due = 0.0

    def __enter__(self) -> Live:
        self.write_tables("running")
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        """An interrupted sweep leaves its tables as they stand, and no run in them that would seem to run."""
        if kind is not None:
            with contextlib.suppress(InputError):  # they are another driver's now
                self.require_held()
                self.write_tables("unfinished")
        for name in list(self.histories):
            self._end(name, {"status": "unfinished"})

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks into its own experiment folder, which nothing resumes from

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._begin(trial.config["spec_id"])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        name, rows = result["spec_id"], result["rows"]
        self._begin(name)
        if rows:  # an attempt begins with all that the run has, and may go over epochs that were heard of before
            earlier = [row for row in self.histories[name] if row["epoch"] < rows[0]["epoch"]]
            self.histories[name] = [*earlier, *rows]
            self.book.epochs(name, rows)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._end(trial.config["spec_id"])

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._end(trial.config["spec_id"])

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self.require_held()
        if time.monotonic() > self.due:
            self.write_tables("running")

    def write_tables(self, status: str) -> None:
        """The tables as things stand; runs under way have this status. Where they cannot be written, another time."""
        began = time.monotonic()
        with contextlib.suppress(OSError, pa.ArrowException, InputError):  # the runs' own writing will tell of it
            found = {name: self._row(name, status) for name in self.conductor.runs}
            results.write_tables(self.name, self.storage, self.conductor.runs, found, self.teacher)
        ended = time.monotonic()
        self.due = ended + max(TABLES_S, (ended - began) / TABLES_SHARE)

    def _row(self, name: str, status: str) -> Row:
        """A run's result, or what there is of one so far."""
        spec, ended = self.conductor.runs[name], self.conductor.rows.get(name, {})
        if "spec" in ended:
            return ended
        if name not in self.histories:
            return results.unfinished(name, spec, None)
        attempts = RunFolder(self.storage, name).attempts()
        facts = {"attempts": attempts, "agreement_with": self.teacher}
        return results.result(name, spec, Ending(status), list(map(dict, self.histories[name])), facts)

    def _begin(self, name: str) -> None:
        self.histories.setdefault(name, [])
        self.book.begin(name, self.conductor.runs[name].flat())

    def _end(self, name: str, otherwise: Row | None = None) -> None:
        """Tune's searcher, which is the conductor, has heard of it before."""
        ended = self.conductor.rows.get(name, otherwise)
        if self.histories.pop(name, None) is not None:
            self.book.end(name, ended or {"status": "unfinished"})
