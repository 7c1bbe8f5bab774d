"""result.json and the tables made of many: one row a run, one row a run and epoch, as records.py declares them."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kd_trainable.records import EPOCH_COLUMNS, RUN_COLUMNS
from kd_trainable.spec import RunSpec
from kd_trainable.tuning import results
from kd_trainable.tuning.results import Ending
from kd_trainable.tuning.run_folder import RunFolder
from kd_trainable.tuning.store import Storage

FIELDS = {"dataset": "digits", "student": "digits_mlp", "teacher": "digits_cnn", "epochs": 3}


def row(epoch: int, validation: float, test: float, pace: float = 100.0) -> dict[str, Any]:
    accuracies = {"validation_accuracy": validation, "test_accuracy": test, "train_accuracy": 0.5}
    losses = {"train_loss": 1.0, "hard_loss": 1.0, "soft_loss": math.nan, "validation_loss": 1.0, "test_loss": 1.0}
    return {"epoch": epoch, "lr": 0.1, **accuracies, **losses, "epoch_seconds": 2.0, "images_per_second": pace}


FINISHED = Ending("finished")
HISTORY = [row(1, 0.5, 0.6, 90.0), row(2, 0.8, 0.55, 110.0), row(3, 0.7, 0.58, 100.0)]


def found(ending: Ending = FINISHED, history: Any = None, **fields: Any) -> dict[str, Any]:
    spec = RunSpec(**{**FIELDS, **fields})
    return results.result("id", spec, ending, HISTORY if history is None else history, {"attempts": 1})


def single(frame: pd.DataFrame) -> dict[str, Any]:
    assert len(frame) == 1
    return {str(k): v for k, v in frame.iloc[0].items()}


class TestSummary:
    def test_last_best_by_validation_and_best_by_test(self) -> None:
        said = results.summary(HISTORY)
        assert (said["validation_accuracy_last"], said["validation_accuracy_best"]) == (0.7, 0.8)
        assert (said["test_accuracy_last"], said["test_accuracy_best"]) == (0.58, 0.6)
        assert said["test_accuracy_at_best_validation"] == 0.55
        assert (said["epochs_run"], said["images_per_second"]) == (3, 100.0)

    def test_of_equal_epochs_the_first_is_best(self) -> None:
        assert results.summary([row(1, 0.5, 0.1), row(2, 0.5, 0.2)])["test_accuracy_at_best_validation"] == 0.1

    def test_without_held_out_images_nothing_is_selected(self) -> None:
        said = results.summary([row(1, math.nan, 0.6), row(2, math.nan, 0.5)])
        assert math.isnan(said["validation_accuracy_best"])
        assert math.isnan(said["test_accuracy_at_best_validation"])
        assert (said["test_accuracy_last"], said["test_accuracy_best"]) == (0.5, 0.6)

    def test_without_epochs(self) -> None:
        assert results.summary([]) == {"epochs_run": 0}


class TestRunRow:
    def test_every_column_has_its_type_whatever_is_missing(self) -> None:
        declared = {c.name: c.dtype for c in RUN_COLUMNS}
        for given in ([found()], [found(Ending("failed", "why", "numbers"), [])], []):
            frame = results.runs_frame(given)
            assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == declared

    def test_a_distilled_run(self) -> None:
        said = single(results.runs_frame([found(temperature=4, alpha=0.5, method="kd")]))
        assert (said["status"], said["attempts"], said["temperature"], said["alpha"]) == ("finished", 1, 4.0, 0.5)
        assert (said["hard_weight"], said["soft_weight"]) == (0.5, 8.0)
        assert said["error"] is pd.NA

    @pytest.mark.parametrize(
        ("fields", "recorded"),
        [
            ({"method": "at"}, {"at.p": 2.0, "at.weight": 1000.0}),
            ({"method": "kd+at", "hyperparameters": {"at.weight": 500}}, {"at.p": 2.0, "at.weight": 500.0}),
            ({"method": "own_parts:logit_distance", "hyperparameters": {"power": 3}}, {"power": 3.0}),
            ({"method": "kd"}, {}),
        ],
    )
    def test_hyperparameters_are_those_that_had_effect(
        self, fields: dict[str, Any], recorded: dict[str, float]
    ) -> None:
        said = single(results.runs_frame([found(**fields)]))
        assert said["hyperparameters"] == json.dumps(recorded)

    def test_a_baseline_has_nothing_of_a_teacher(self) -> None:
        said = single(results.runs_frame([found(method="none")]))
        for name in ("teacher", "mode", "temperature", "alpha", "convention", "control", "hyperparameters"):
            assert said[name] is pd.NA, name
        assert (said["hard_weight"], said["soft_weight"]) == (1.0, 0.0)

    def test_logit_mse_has_no_temperature(self) -> None:
        for temperature in (2, [[0, 1], [2, 2]]):
            said = single(results.runs_frame([found(mode="logit_mse", temperature=temperature)]))
            assert (said["temperature"], said["temperature_schedule"]) == (pd.NA, pd.NA)
        own = found(mode="logit_mse", temperature=2, method="own_parts:logit_distance")  # which may read T
        assert single(results.runs_frame([own]))["temperature"] == 2

    @pytest.mark.parametrize(
        ("fields", "missing"),
        [
            ({"schedule": "multistep", "milestones": [2]}, set()),
            ({"schedule": "multistep", "milestones": [2], "optimizer": "adam"}, {"momentum", "nesterov"}),
            ({"schedule": "cosine"}, {"milestones", "gamma", "fresh_optimizer"}),
            ({"schedule": "constant", "gamma": 0.5}, {"milestones", "gamma", "fresh_optimizer"}),
        ],
    )
    def test_a_field_that_was_not_used_has_no_value(self, fields: dict[str, Any], missing: set[str]) -> None:
        said = single(results.runs_frame([found(**fields)]))
        of_others = ("momentum", "nesterov", "milestones", "gamma", "fresh_optimizer")
        assert {name for name in of_others if said[name] is pd.NA} == missing

    def test_a_schedule_has_a_column_of_its_own_and_the_weights_of_its_last_epoch(self) -> None:
        said = single(results.runs_frame([found(temperature=[[0, 1], [2, 2]], alpha=[[0, 1], [1, 0.5]])]))
        assert (said["temperature"], said["alpha"]) == (pd.NA, pd.NA)
        assert json.loads(said["temperature_schedule"]) == [[0, 1], [2, 2]]
        assert json.loads(said["alpha_schedule"]) == [[0, 1], [1, 0.5]]
        assert (said["hard_weight"], said["soft_weight"]) == (0.5, 2.0)

    def test_a_failed_run_has_a_row_with_its_error(self) -> None:
        said = single(results.runs_frame([found(Ending("failed", "the loss became nan", "numbers"), HISTORY[:1])]))
        assert (said["status"], said["error"], said["epochs_run"]) == ("failed", "the loss became nan", 1)

    def test_nan_is_missing(self) -> None:
        said = single(results.runs_frame([found(history=[row(1, math.nan, 0.5)], protocol="published")]))
        assert said["validation_accuracy_last"] is pd.NA
        assert said["test_accuracy_last"] == 0.5

    def test_every_field_of_a_spec_is_a_column(self) -> None:
        assert set(found()["spec"]) - {c.name for c in RUN_COLUMNS} == set()


def test_epochs() -> None:
    frame = results.epochs_frame([found(), found(Ending("failed", "x", "numbers"), [])])
    assert list(frame.columns) == [c.name for c in EPOCH_COLUMNS]
    assert list(frame["epoch"]) == [1, 2, 3]
    assert list(frame["validation_accuracy"]) == [0.5, 0.8, 0.7]
    assert frame["soft_loss"].isna().all()


def test_tables_list_every_run_of_the_sweep_those_without_a_result_too(tmp_path: Path) -> None:
    storage, begun = Storage(str(tmp_path)), RunFolder(Storage(str(tmp_path)), "begun")
    begun.claim()
    begun.claim()
    runs = {"id": RunSpec(**FIELDS), "begun": RunSpec(**FIELDS, seed=1)}
    frame = results.write_tables("s", storage, runs, {"id": found()})
    assert list(frame["spec_id"]) == ["id", "begun"]
    assert list(frame["status"]) == ["finished", "unfinished"]
    assert list(frame["attempts"]) == [1, 2]
    assert frame["test_accuracy_last"].isna().tolist() == [False, True]
    assert storage.read_json("sweeps/s/ids.json") == ["id", "begun"]
    for file, rows in (("runs", 2), ("epochs", 3)):
        content = storage.read(f"sweeps/s/{file}.parquet")
        assert content is not None
        assert len(pd.read_parquet(io.BytesIO(content))) == rows


@pytest.mark.parametrize("kind", ["numbers", "exception"])
def test_a_result_survives_its_file(tmp_path: Path, kind: str) -> None:
    folder = RunFolder(Storage(str(tmp_path)), "r")
    folder.claim()
    written = found(Ending("failed", "why", kind), [row(1, math.nan, 0.5)])
    folder.finish(written, None)
    read = folder.result()
    assert read is not None
    assert repr(results.run_row(read)) == repr(results.run_row(written))
    assert read["error_kind"] == kind
