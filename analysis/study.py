"""A sweep's runs as an Optuna study, one trial a run, for optuna-dashboard: RESULTS/sweeps/NAME/optuna.journal.

``python -m analysis.study RESULTS/sweeps/NAME``, then ``optuna-dashboard RESULTS/sweeps/NAME/optuna.journal``. Made
anew each time, so what the dashboard wrote into it (notes, tags) is lost. The searcher's own study is study.journal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from analysis import frames, script
from analysis.places import below, name_of
from analysis.stats.cells import is_control
from kd_trainable.records import SPEC_COLUMNS

ABOUT = """Writes a sweep's runs as an Optuna study, one trial a run: optuna.journal in its folder; a URI will do.
optuna-dashboard RESULTS/sweeps/NAME/optuna.journal shows it in the browser. Negative controls are left out."""
FILE = "optuna.journal"
STATES = {"finished": "COMPLETE", "stopped": "PRUNED", "running": "RUNNING", "unfinished": "WAITING"}  # else FAIL
KEPT = ("seed", "spec_id", "status", "test_accuracy_last", "error")  # of a run, as attributes of its trial
LONGEST_S = 1e9  # of a run: a date is not beyond the calendar, whatever a table says
LOG_FROM = 10.0  # a range whose ends differ by such a factor is drawn in the logarithm
DATES = "when each run began is not recorded: all are shown from the sweep's begin; durations are their training times"


def write_study(folder: str) -> str:
    """Writes the study of a sweep's folder (a path or a URI) into it; returns a line that says so.

    Negative controls are left out, since they must not be the best trial; a baseline says so in an attribute of its
    trial. Raises InputError where its tables cannot be read.
    """
    about = frames.about(folder)
    name = str(about.get("name") or name_of(folder))
    began = datetime.fromisoformat(about["began"]) if about.get("began") else datetime.fromtimestamp(0, UTC)
    runs = frames.runs(folder)
    real = runs[~is_control(runs)].reset_index(drop=True)
    frames.write(folder, FILE, journal(name, real, frames.epochs(folder), began))
    left = len(runs) - len(real)
    controls = f"; {left} runs of negative controls, which do not compete, left out" if left else ""
    return f"{below(folder, FILE)}: study {name}, {len(real)} trials{controls}\n"


def journal(name: str, runs: pd.DataFrame, epochs: pd.DataFrame, began: datetime) -> bytes:
    """The study as the journal of optuna's file backend: of the same runs the same bytes.

    Its parameters are the fields that vary among the runs. The value is the validation accuracy after the last epoch;
    where a run holds no images out, the test accuracy, for all of them, and the study's attributes say so.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.study import StudyDirection

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    lines = Lines()
    storage = JournalStorage(lines)
    study = storage.create_new_study([StudyDirection.MAXIMIZE], name)
    metric = "validation_accuracy" if runs["protocol"].eq("holdout").all() else "test_accuracy"
    biased = "" if metric == "validation_accuracy" else ", which selects on the test set: biased"
    storage.set_study_user_attr(study, "value", f"{metric}_last{biased}")
    storage.set_study_user_attr(study, "dates", DATES)
    storage.set_study_system_attr(study, "study:metric_names", [metric.replace("_", " ")])
    for trial in _trials(runs, epochs, metric, began):
        storage.create_new_trial(study, trial)
    return lines.content()


class Lines:
    """A journal in memory. optuna's file backend takes a lock and an fsync for each of its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        return map(json.loads, self.lines[log_number_from:])

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self.lines += [json.dumps(log, separators=(",", ":")) for log in logs]

    def content(self) -> bytes:
        """The file. ``worker_id`` is random, and only tells a process which of the lines are its own."""
        logs = [json.loads(line) | {"worker_id": "analysis.study"} for line in self.lines]
        return "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()


def _trials(runs: pd.DataFrame, epochs: pd.DataFrame, metric: str, began: datetime) -> Iterator[Any]:
    from optuna.trial import FrozenTrial, TrialState

    fields = varied(runs)
    distributions = {field: _distribution(fields[field].dropna().tolist()) for field in fields}
    parameters = fields.astype(object).where(fields.notna(), None).to_dict("records")
    reached = _reached(epochs, metric)
    for number, (row, given) in enumerate(zip(runs.to_dict("records"), parameters, strict=True)):
        params = {str(field): value for field, value in given.items() if value is not None}
        state, value = _state(row["status"], row[f"{metric}_last"])
        alone = row["method"] == "none"
        seconds = 0.0 if pd.isna(row["train_seconds"]) else min(max(float(row["train_seconds"]), 0.0), LONGEST_S)
        yield FrozenTrial(
            number=number,
            trial_id=number,
            state=TrialState[state],
            value=value,
            params=params,
            distributions={field: distributions[field] for field in params},
            user_attrs={k: row[k] for k in KEPT if not pd.isna(row[k])} | ({"baseline": True} if alone else {}),
            system_attrs={},
            intermediate_values=reached.get(row["spec_id"], {}),
            datetime_start=None if state == "WAITING" else began,
            datetime_complete=began + timedelta(seconds=seconds) if TrialState[state].is_finished() else None,
        )


def varied(runs: pd.DataFrame) -> pd.DataFrame:
    """The fields that have more than one value among the runs, seeds left out; hyperparameters each by its name."""
    given = runs[[c.name for c in SPEC_COLUMNS if c.name not in ("seed", "hyperparameters")]]
    own = pd.DataFrame([json.loads(text) if text else {} for text in runs["hyperparameters"].fillna("")])
    own.index = runs.index
    fields = pd.concat([given, own], axis=1)
    return fields[[name for name in fields if fields[name].nunique() > 1]]


def _distribution(values: list[Any]) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values[0], str | bool):
        return CategoricalDistribution(sorted(set(values)))
    low, high = min(values), max(values)
    log = bool(low > 0 and high >= LOG_FROM * low)
    whole = all(isinstance(value, int) for value in values)
    return IntDistribution(int(low), int(high), log=log) if whole else FloatDistribution(low, high, log=log)


def _state(status: str, value: Any) -> tuple[str, float | None]:
    """A trial's state, and its value: of a stopped run where it was. Complete without a number is failed."""
    state = STATES.get(status, "FAIL")
    if pd.isna(value):
        return "FAIL" if state == "COMPLETE" else state, None
    return state, float(value) if state in ("COMPLETE", "PRUNED") else None


def _reached(epochs: pd.DataFrame, metric: str) -> Mapping[str, dict[int, float]]:
    """A run's accuracy after each epoch."""
    known = epochs[["spec_id", "epoch", metric]].dropna()
    return {
        str(name): dict(zip(map(int, rows["epoch"]), map(float, rows[metric]), strict=True))
        for name, rows in known.groupby("spec_id")
    }


def main(arguments: list[str]) -> int:
    """Writes the study of the sweep's folder; 2 and one line on stderr where that cannot be done."""
    return script.run(write_study, "python -m analysis.study RESULTS/sweeps/NAME", ABOUT, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
