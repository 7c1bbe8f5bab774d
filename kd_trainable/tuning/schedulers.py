"""Schedulers by name: who may end a run early. Each a few lines in the table."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

KILLED_FOR_MEMORY = "running low on memory"  # in what Ray's memory monitor says of a worker that it killed
Ended = Iterable[Mapping[str, Any]]
"""results of runs of this sweep that ended before"""
Hear = Callable[[str, str], None]
"""(trial, why it was lost): Tune tells schedulers of it before searchers"""


class Undisturbed(FIFOScheduler):
    """Every run spends its whole budget."""

    def __init__(self, hear: Hear) -> None:
        super().__init__()
        self.hear = hear

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        self.hear(trial.trial_id, cause_of(trial))


class AshaOfDistilled(ASHAScheduler):
    """ASHA among distilled runs. Baselines run to their end and enter no rung: every gain is measured against them.

    Rungs hold what runs of earlier commands had reached there, ended or resumed, so that a sweep that was interrupted
    stops no run more lightly than one that was not.
    """

    def __init__(self, metric: str, epochs: int, ended: Ended, hear: Hear) -> None:
        grace = max(1, epochs // 9)
        super().__init__("epoch", metric, "max", max_t=epochs, grace_period=grace, reduction_factor=3)
        self.hear = hear
        for result in ended:
            if result.get("spec", {}).get("method", "none") != "none":
                self._record(result["spec_id"], [row[metric] for row in result.get("history", [])])

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        if _distilled(trial):
            super().on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if not _distilled(trial):
            return str(self.CONTINUE)
        self._record(trial.trial_id, result.get("resumed_values", []))
        return str(super().on_trial_result(tune_controller, trial, result))

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        if _distilled(trial):
            super().on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        if _distilled(trial):
            super().on_trial_remove(tune_controller, trial)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        self.hear(trial.trial_id, cause_of(trial))
        if _distilled(trial):
            super().on_trial_error(tune_controller, trial)

    def _record(self, name: str, values: list[float]) -> None:
        """Enters what a run had reached, one value an epoch, into the rungs it has passed."""
        for bracket in self._brackets:
            for milestone, recorded in bracket._rungs:
                if milestone <= len(values):
                    recorded.setdefault(name, values[int(milestone) - 1])


def cause_of(trial: Any) -> str:
    """The last line of the error that Tune holds of a trial; '' where it holds none."""
    with contextlib.suppress(OSError, TypeError, AttributeError):
        text = Path(trial.error_file).read_text()
        if KILLED_FOR_MEMORY in text:
            return "out of memory: Ray killed its worker for the node's sake; fewer runs at a time (--max-concurrent)"
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:500] if lines else ""
    return ""


def _distilled(trial: Any) -> bool:
    return bool(trial.config["method"] != "none")


SCHEDULERS: dict[str, Callable[[str, int, Ended, Hear], Any]] = {
    "none": lambda metric, epochs, ended, hear: Undisturbed(hear),
    "asha": AshaOfDistilled,
}
