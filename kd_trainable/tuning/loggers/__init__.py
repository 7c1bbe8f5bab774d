"""Where runs are shown beside the tables: one file a logger, and a line of the table. None of them is needed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from kd_trainable.tuning.space import distinct
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError, require_known

Row = Mapping[str, Any]


@runtime_checkable
class Logger(Protocol):
    """Called by one thread of the driver, run by run: begin, epochs as they come, end. Runs overlap.

    Made with (storage, sweep). ``spec``: flat, as in spec.json; ``rows``: epochs that were not given before;
    ``result``: as in result.json, of a run that was interrupted its status alone. Whatever a logger raises drops it,
    with one line; the sweep goes on.
    """

    def has(self, run: str, status: str) -> bool:
        """Whether the run is there as one that ended so, in an earlier command: it is not begun again then."""
        ...

    def begin(self, run: str, spec: Row) -> None:
        """What an earlier command has logged of the run must not be shown twice."""
        ...

    def epochs(self, run: str, rows: Sequence[Row]) -> None: ...

    def end(self, run: str, result: Row) -> None: ...

    def close(self) -> None:
        """Nothing more comes; runs that have not ended are left as they are."""
        ...


class LoggerEntry(NamedTuple):
    """A line of the table. ``needs``: the module behind the extra of the logger's name.

    ``elsewhere``: the environment variable that says where to, without which it needs a local results folder.
    """

    target: str
    needs: str
    elsewhere: str = ""


LOGGERS: dict[str, LoggerEntry] = {
    "tensorboard": LoggerEntry("kd_trainable.tuning.loggers.tensorboard:TensorBoard", "tensorboardX"),
    "mlflow": LoggerEntry("kd_trainable.tuning.loggers.mlflow:Mlflow", "mlflow", "MLFLOW_TRACKING_URI"),
    "wandb": LoggerEntry("kd_trainable.tuning.loggers.wandb:Wandb", "wandb"),
}
NONE = "none"


def chosen(log: str | Sequence[str]) -> tuple[str, ...]:
    """The loggers that a setting speaks of. Raises InputError for a name that is none's, or that stands twice."""
    names = [log] if isinstance(log, str) else list(log)
    distinct("log", names)
    for name in names:
        require_known("log", name, [*LOGGERS, NONE])
    if NONE in names and len(names) > 1:
        raise InputError(f"log: none stands alone, not beside {', '.join(n for n in names if n != NONE)}")
    return tuple(name for name in names if name != NONE)


def require_installed(names: Iterable[str], storage: Storage) -> None:
    """Raises InputError unless each logger is installed and has a place to log to."""
    for name in names:
        entry = LOGGERS[name]
        found = importlib.util.find_spec(entry.needs)
        if found is None or found.origin is None:  # W&B leaves a folder of its own name behind, which Python would take
            raise InputError(f"log: {name} is not installed; pip install 'kd-trainable[{name}]'")
        if entry.elsewhere and not storage.local and not os.environ.get(entry.elsewhere):
            raise InputError(f"log: {name} needs {entry.elsewhere}: {storage.shown()} is no local folder")
