"""How a sweep is run, as against what it asks: none of this enters a run's name. No Ray, no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kd_trainable.tuning.loggers import chosen, require_installed
from kd_trainable.tuning.space import Space
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError, require_known

SEARCHER_NAMES = ("grid", "random", "optuna")
SCHEDULER_NAMES = ("none", "asha")


@dataclass(frozen=True)
class Settings:
    """``teacher``: a file, or None for the one that ``teacher_recipe`` (fields of RunSpec) trains and keeps.

    ``gpus_per_trial`` None: a quarter of a GPU where there is one. ``retries``: of runs that were lost (their worker
    died), never of runs that failed. ``log``: where runs are shown beside the tables (loggers.LOGGERS), or none.
    ``rerun``: forget what is done of this sweep first.
    """

    storage: str = "results"
    data_dir: str | None = None
    teacher: str | None = None
    teacher_model: str | None = None
    teacher_recipe: Mapping[str, Any] = field(default_factory=dict)
    searcher: str = "grid"
    num_samples: int | None = None
    scheduler: str = "none"
    select_on_test: bool = False
    cpus_per_trial: int = 1
    gpus_per_trial: float | None = None
    max_concurrent: int | None = None
    retries: int = 3
    address: str | None = None
    log: str | Sequence[str] = ("tensorboard",)
    rerun: bool = False

    def __post_init__(self) -> None:
        require_known("searcher", self.searcher, SEARCHER_NAMES)
        require_known("scheduler", self.scheduler, SCHEDULER_NAMES)
        _whole("cpus_per_trial", self.cpus_per_trial, 1)
        _whole("retries", self.retries, 0)
        if self.max_concurrent is not None:
            _whole("max_concurrent", self.max_concurrent, 1)
        self._samples()
        chosen(self.log)
        if not str(self.storage):
            raise InputError("storage: '' is not allowed; must be a folder or a URI")
        if self.address == "":
            raise InputError("address: '' is not allowed; must be auto, on the cluster's head, or host:port")
        gpus = self.gpus_per_trial
        if gpus is not None and not (gpus == 0 or 0 < gpus < 1 or (gpus >= 1 and float(gpus).is_integer())):
            raise InputError(f"gpus_per_trial: {gpus:g} is not allowed; must be 0, a part of 1, or a whole number")
        if self.teacher_model is not None and self.teacher is None:
            raise InputError(f"teacher_model: {self.teacher_model!r} is given without teacher, the file it belongs to")
        if self.data_dir is not None and not Path(self.data_dir).expanduser().is_dir():
            raise InputError(f"data_dir: no such folder: {self.data_dir}")

    def _samples(self) -> None:
        if self.num_samples is not None:
            _whole("num_samples", self.num_samples, 1)
        if self.searcher == "grid" and self.num_samples is not None:
            raise InputError(
                f"num_samples: {self.num_samples} is not allowed; searcher grid runs every cell; use random or optuna"
            )
        if self.searcher != "grid" and self.num_samples is None:
            raise InputError(f"num_samples: missing; searcher {self.searcher} needs the number of cells to try")

    @property
    def loggers(self) -> tuple[str, ...]:
        """The loggers that are asked for."""
        return chosen(self.log)

    def check(self, space: Space) -> None:
        """Raises InputError where these settings cannot run this space."""
        require_installed(self.loggers, Storage(self.storage))
        self.metric(space)
        epochs = space.base.epochs
        if self.scheduler == "asha" and epochs < 2:
            raise InputError(f"scheduler: asha needs epochs >= 2 to stop anything; epochs is {epochs}")
        if self.searcher == "grid":
            space.cells()

    def metric(self, space: Space) -> str:
        """The column that a searcher or a scheduler looks at, and that selects."""
        protocol = space.base.protocol
        if protocol == "holdout":
            return "validation_accuracy"
        chooses = self.searcher == "optuna" or self.scheduler != "none"
        if chooses and not self.select_on_test:
            what = f"searcher {self.searcher}" if self.searcher == "optuna" else f"scheduler {self.scheduler}"
            raise InputError(
                f"protocol: published holds no validation images out, so {what} would select on the test set; "
                "say --select-on-test (select_on_test=True) if that is meant"
            )
        return "test_accuracy"


def _whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not math.isfinite(value) or int(value) != value or value < least:
        raise InputError(f"{name}: {value} is not allowed; must be a whole number >= {least}")
