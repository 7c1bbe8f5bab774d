"""MLflow against its local store, read back with its own client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kd_trainable.records import EPOCH_COLUMNS
from kd_trainable.spec import RunSpec
from kd_trainable.tuning.loggers.mlflow import Mlflow
from kd_trainable.tuning.store import Storage

SPEC = RunSpec(dataset="digits", student="digits_mlp", teacher="digits_cnn", temperature=4, alpha=0.9).flat()
# warnings of MLflow and of what it stands on
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("own_store")]


def rows(first: int, last: int) -> list[dict[str, Any]]:
    return [{"epoch": epoch, "test_accuracy": epoch / 10, "lr": 0.1} for epoch in range(first, last + 1)]


def found(folder: Path) -> list[Any]:
    """The sweep's runs, and what reads their histories."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'sweeps' / 's' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("s")
    assert experiment is not None
    return [client, list(client.search_runs([experiment.experiment_id]))]


def steps(folder: Path) -> list[int]:
    client, (run,) = found(folder)
    return [metric.step for metric in client.get_metric_history(run.info.run_id, "accuracy/test")]


def test_a_run_with_its_parameters_metrics_and_end(tmp_path: Path) -> None:
    logger = Mlflow(Storage(str(tmp_path)), "s")
    logger.begin("abc", SPEC)
    logger.epochs("abc", rows(1, 2))
    logger.epochs("abc", rows(3, 3))
    logger.end("abc", {"status": "finished"})
    client, (run,) = found(tmp_path)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "kd-digits_mlp-kl-T4-a0.9-seed0")
    assert (run.data.tags["spec_id"], run.data.tags["status"]) == ("abc", "finished")
    assert (run.data.params["temperature"], run.data.params["alpha"], run.data.params["mode"]) == ("4.0", "0.9", "kl")
    history = client.get_metric_history(run.info.run_id, "accuracy/test")
    assert [(metric.step, metric.value) for metric in history] == [(1, 0.1), (2, 0.2), (3, 0.3)]


def test_an_interrupted_run_is_gone_on_with(tmp_path: Path) -> None:
    killed = Mlflow(Storage(str(tmp_path)), "s")
    killed.begin("abc", SPEC)
    killed.epochs("abc", rows(1, 4))
    again = Mlflow(Storage(str(tmp_path)), "s")
    assert not again.has("abc", "finished")
    again.begin("abc", SPEC)
    again.epochs("abc", rows(1, 5))
    again.end("abc", {"status": "stopped"})
    assert steps(tmp_path) == [1, 2, 3, 4, 5]
    assert [run.info.status for run in found(tmp_path)[1]] == ["KILLED"]
    assert Mlflow(Storage(str(tmp_path)), "s").has("abc", "stopped")


def test_a_run_that_is_run_again_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    for last in (3, 2):
        logger = Mlflow(Storage(str(tmp_path)), "s")
        logger.begin("abc", SPEC)
        logger.epochs("abc", rows(1, last))
        logger.end("abc", {"status": "finished"})
    assert steps(tmp_path) == [1, 2]


def test_the_tracking_uri_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'own.db'}")
    Mlflow(Storage("mock:///results"), "s").begin("abc", SPEC)
    assert (tmp_path / "own.db").exists()
    assert not (tmp_path / "sweeps").exists()


def test_many_epochs_at_once(tmp_path: Path) -> None:
    """MLflow takes 1,000 numbers a request."""
    logger = Mlflow(Storage(str(tmp_path)), "s")
    logger.begin("abc", SPEC)
    logger.epochs("abc", [{name.name: 0.5 for name in EPOCH_COLUMNS} | {"epoch": epoch} for epoch in range(1, 101)])
    assert steps(tmp_path) == list(range(1, 101))
