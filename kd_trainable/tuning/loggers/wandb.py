"""Weights & Biases: the sweep is a project, a run of it a run of the same id. Its own variables say where (WANDB_*)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kd_trainable.tuning.loggers import Row
from kd_trainable.tuning.loggers.words import label, parameters, scalars
from kd_trainable.tuning.store import Storage


class Wandb:
    """A run that goes on is resumed by its id, from the step after its last one. Needs wandb >= 0.20.

    What is done already when a sweep begins is not sent: to ask for every run whether it is there takes a call each.
    """

    def __init__(self, storage: Storage, sweep: str) -> None:
        import wandb

        self.wandb, self.project = wandb, sweep
        self.runs: dict[str, Any] = {}

    def has(self, run: str, status: str) -> bool:
        return True

    def begin(self, run: str, spec: Row) -> None:
        self.runs[run] = self.wandb.init(
            project=self.project,
            id=run,
            name=label(spec),
            config=parameters(spec),
            resume="allow",
            reinit="create_new",  # runs overlap in this one process
            # the terminal is the sweep's: nothing of it is sent, and nobody is asked for a key there
            settings=self.wandb.Settings(console="off", silent=True, login_timeout=1),
        )

    def epochs(self, run: str, rows: Sequence[Row]) -> None:
        own = self.runs[run]
        for row in rows:
            if row["epoch"] >= own.step:
                own.log(scalars(row), step=row["epoch"])

    def end(self, run: str, result: Row) -> None:
        own = self.runs.pop(run)
        own.summary["status"] = result["status"]
        own.finish(exit_code=int(result["status"] not in ("finished", "stopped")))

    def close(self) -> None:
        return
