"""Schedulers by name: who may end a run early. Each a few lines in the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler


class AshaOfDistilled(ASHAScheduler):
    """ASHA among distilled runs. Baselines run to their end and enter no rung: every gain is measured against them."""

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        if _distilled(trial):
            super().on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if not _distilled(trial):
            return str(self.CONTINUE)
        return str(super().on_trial_result(tune_controller, trial, result))

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        if _distilled(trial):
            super().on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        if _distilled(trial):
            super().on_trial_remove(tune_controller, trial)


def _distilled(trial: Any) -> bool:
    return bool(trial.config["method"] != "none")


def _none(metric: str, epochs: int) -> Any:
    """Every run spends its whole budget."""
    return FIFOScheduler()


def _asha(metric: str, epochs: int) -> Any:
    """Successive halving: rungs at grace, 3 x grace, ...; the lower two thirds of a rung stop there."""
    grace = max(1, epochs // 9)
    return AshaOfDistilled(
        time_attr="epoch", metric=metric, mode="max", max_t=epochs, grace_period=grace, reduction_factor=3
    )


SCHEDULERS: dict[str, Callable[[str, int], Any]] = {"none": _none, "asha": _asha}
