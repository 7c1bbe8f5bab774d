"""MLflow: the sweep is an experiment, a run of it a run. To MLFLOW_TRACKING_URI, else mlflow.db in the sweep's folder.

SQLite, since MLflow 3 refuses to write into a folder of files (FileStore, "in maintenance mode").
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

from kd_trainable.records import EPOCH_COLUMNS
from kd_trainable.tuning.loggers import Row
from kd_trainable.tuning.loggers.words import label, parameters, scalars
from kd_trainable.tuning.store import Storage
from kd_trainable.tuning.study import written_in_place

# a server that is gone: give up in half a minute, not in MLflow's hour of 7 tries; and nothing is told to anyone else
USUAL = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
STATES = {"finished": "FINISHED", "failed": "FAILED", "lost": "FAILED"}  # else KILLED: stopped, or interrupted
BATCH = 1000 // len(EPOCH_COLUMNS)  # epochs in a request: MLflow takes 1000 metrics at most
EPOCH = "epoch"  # a metric of its own, which tells how far a run has been logged


class Mlflow:
    """Runs are found again by their tag ``spec_id``: one that was interrupted is gone on with, step by step."""

    def __init__(self, storage: Storage, sweep: str) -> None:
        for name, value in USUAL.items():
            os.environ.setdefault(name, value)
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)  # of the making of a database, line by line
        from mlflow import MlflowClient

        place = os.environ.get("MLFLOW_TRACKING_URI") or _local(storage, sweep)
        self.client = MlflowClient(tracking_uri=place)
        found = self.client.get_experiment_by_name(sweep)
        self.experiment = found.experiment_id if found else self.client.create_experiment(sweep)
        self.known = {run.data.tags["spec_id"]: run for run in self._all() if "spec_id" in run.data.tags}
        self.ended = {name: run.data.tags.get("status") for name, run in self.known.items()}
        self.runs: dict[str, tuple[str, int]] = {}  # spec_id -> MLflow's id, epochs logged

    def has(self, run: str, status: str) -> bool:
        return self.ended.get(run) == status

    def begin(self, run: str, spec: Row) -> None:
        from mlflow.entities import Param

        found = self.known.get(run)
        if found is not None and found.info.status == "FINISHED":  # --rerun
            self.client.delete_run(found.info.run_id)
            found = None
        if found is None:
            tags = {"spec_id": run, "status": "running"}
            found = self.client.create_run(self.experiment, run_name=label(spec), tags=tags)
        own = found.info.run_id
        self.client.update_run(own, status="RUNNING")
        self.client.log_batch(own, params=[Param(k, str(v)) for k, v in parameters(spec).items()])
        self.runs[run] = own, int(found.data.metrics.get(EPOCH, 0))

    def epochs(self, run: str, rows: Sequence[Row]) -> None:
        from mlflow.entities import Metric

        own, logged = self.runs[run]
        now = int(1000 * time.time())
        fresh = [row for row in rows if row["epoch"] > logged]
        for first in range(0, len(fresh), BATCH):
            rows = fresh[first : first + BATCH]
            numbers = [(k, v, row["epoch"]) for row in rows for k, v in {EPOCH: row["epoch"], **scalars(row)}.items()]
            self.client.log_batch(own, metrics=[Metric(k, float(v), now, step) for k, v, step in numbers])
            self.runs[run] = own, rows[-1]["epoch"]

    def end(self, run: str, result: Row) -> None:
        own, _ = self.runs.pop(run)
        self.ended[run] = result["status"]
        self.client.set_tag(own, "status", result["status"])
        self.client.set_terminated(own, STATES.get(result["status"], "KILLED"))

    def close(self) -> None:
        return

    def _all(self) -> Iterator[Any]:
        token = None
        while True:
            page = self.client.search_runs([self.experiment], page_token=token)
            yield from page
            if not (token := page.token):
                return


def _local(storage: Storage, sweep: str) -> str:
    database = written_in_place(storage, f"sweeps/{sweep}/mlflow.db")
    database.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{database}"
