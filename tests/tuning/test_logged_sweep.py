"""A sweep as its loggers show it: each run once, with all of its epochs, whatever command it was run by."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kd_trainable.tuning.loggers.mlflow import Mlflow
from kd_trainable.tuning.loggers.tensorboard import TensorBoard

Sweep = Callable[..., pd.DataFrame]
BOTH = ["tensorboard", "mlflow"]
ASKED: dict[str, Any] = {"temperature": [1, 4], "seeds": [0], "log": BOTH}
# whole sweeps; warnings of MLflow and of what it stands on
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("own_store")]


def in_tensorboard(folder: Path) -> dict[str, list[int]]:
    """spec_id -> the epochs that TensorBoard is shown."""
    found = {}
    for run in (path for path in (folder / "tensorboard").iterdir() if path.is_dir()):
        events = EventAccumulator(str(run), purge_orphaned_data=False)
        events.Reload()
        found[run.name.rpartition("-")[2]] = [event.step for event in events.Scalars("accuracy/validation")]
    return found


def in_mlflow(folder: Path) -> dict[str, list[int]]:
    """spec_id -> the epochs that MLflow has, of runs that have finished."""
    from mlflow import MlflowClient

    client, found = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}"), {}
    experiment = client.get_experiment_by_name(folder.name)
    assert experiment is not None
    for run in client.search_runs([experiment.experiment_id], "attributes.status = 'FINISHED'"):
        assert run.data.tags["spec_id"] not in found
        history = client.get_metric_history(run.info.run_id, "accuracy/validation")
        found[run.data.tags["spec_id"]] = [metric.step for metric in history]
    return found


def test_every_run_once_by_whatever_command(tmp_path: Path, short_sweep: Sweep) -> None:
    said: list[str] = []
    folder = tmp_path / "sweeps" / "short"
    runs = short_sweep(tmp_path, **ASKED, say=said.append)
    whole = {spec_id: [1, 2, 3] for spec_id in runs["spec_id"]}
    assert in_tensorboard(folder) == in_mlflow(folder) == whole
    assert len(whole) == 3
    about = json.loads((folder / "sweep.json").read_text())
    assert about["ended"] >= about["began"]
    assert about["teacher"]["architecture"] == "digits_cnn"
    short_sweep(tmp_path, **ASKED, say=said.append)  # all done
    assert in_tensorboard(folder) == in_mlflow(folder) == whole
    assert json.loads((folder / "sweep.json").read_text()) == about
    short_sweep(tmp_path, **ASKED, rerun=True, say=said.append)
    assert in_tensorboard(folder) == in_mlflow(folder) == whole
    assert [line for line in said if line.startswith("log: ")] == []


def test_what_was_run_without_is_logged_afterwards(tmp_path: Path, short_sweep: Sweep) -> None:
    folder = tmp_path / "sweeps" / "short"
    runs = short_sweep(tmp_path, **{**ASKED, "log": "none"})
    assert not {"tensorboard", "mlflow.db"} & {path.name for path in folder.iterdir()}
    short_sweep(tmp_path, **ASKED)
    whole = {spec_id: [1, 2, 3] for spec_id in runs["spec_id"]}
    assert in_tensorboard(folder) == in_mlflow(folder) == whole


def test_a_logger_that_fails_ends_nothing(tmp_path: Path, short_sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Any, run: str, rows: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(TensorBoard, "epochs", full)
    monkeypatch.setattr(Mlflow, "begin", full)
    said: list[str] = []
    runs = short_sweep(tmp_path, **ASKED, say=said.append)
    assert set(runs["status"]) == {"finished"}
    problem = "OSError: [Errno 28] No space left on device; the sweep goes on without it"
    assert sorted(line for line in said if line.startswith("log: ")) == [
        f"log: mlflow: {problem}",
        f"log: tensorboard: {problem}",
    ]
