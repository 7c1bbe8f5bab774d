"""A sweep's runs as an Optuna study, read back as optuna-dashboard reads it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import optuna
import pytest
from hand_made import baseline, epochs_frame, run, runs_frame
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from analysis.study import main, write_study

BEGAN = "2026-01-02T03:04:05+00:00"


def sweep(folder: Path, rows: list[dict[str, Any]], epochs: list[dict[str, Any]] | None = None) -> Path:
    runs_frame(rows).to_parquet(folder / "runs.parquet")
    epochs_frame(epochs or []).to_parquet(folder / "epochs.parquet")
    return folder


def study(folder: Path) -> optuna.Study:
    (name,) = optuna.get_all_study_names(storage := JournalStorage(JournalFileBackend(str(folder / "optuna.journal"))))
    return optuna.load_study(study_name=name, storage=storage)


def written(folder: Path, rows: list[dict[str, Any]], epochs: list[dict[str, Any]] | None = None) -> optuna.Study:
    write_study(str(sweep(folder, rows, epochs)))
    return study(folder)


class TestTrials:
    def test_one_a_run_with_what_varies(self, tmp_path: Path) -> None:
        found = written(tmp_path, [baseline(0.7, 0.6), run(0.8, 0.75, temperature=1.0), run(0.7, 0.72, seed=1)])
        assert [trial.params for trial in found.trials] == [
            {"method": "none"},
            {"method": "kd", "temperature": 1.0},
            {"method": "kd", "temperature": 4.0},
        ]
        assert [trial.value for trial in found.trials] == [0.6, 0.75, 0.72]
        assert [trial.user_attrs["seed"] for trial in found.trials] == [0, 0, 1]
        assert found.trials[2].user_attrs["spec_id"] == "run2"
        assert found.trials[2].user_attrs["test_accuracy_last"] == 0.7
        assert found.best_params == {"method": "kd", "temperature": 1.0}

    def test_controls_are_left_out_and_baselines_say_so(self, tmp_path: Path) -> None:
        rows = [baseline(0.7, 0.6), run(0.8, 0.9, control="shuffled-teacher"), run(0.8, 0.7, alpha=0.9)]
        line = write_study(str(sweep(tmp_path, rows)))
        assert line.endswith(", 2 trials; 1 runs of negative controls, which do not compete, left out\n")
        trials = study(tmp_path).trials
        assert [trial.user_attrs.get("baseline") for trial in trials] == [True, None]
        assert [trial.value for trial in trials] == [0.6, 0.7]

    def test_distributions_fit_the_values(self, tmp_path: Path) -> None:
        found = written(
            tmp_path,
            [
                run(0.8, 0.8, temperature=1.0, lr=0.1, batch_size=64, nesterov=True),
                run(0.8, 0.8, temperature=4.0, lr=0.001, batch_size=128, nesterov=False),
            ],
        )
        assert found.trials[0].distributions == {
            "temperature": FloatDistribution(1.0, 4.0),
            "lr": FloatDistribution(0.001, 0.1, log=True),
            "batch_size": IntDistribution(64, 128),
            "nesterov": CategoricalDistribution((False, True)),
        }

    def test_a_hyperparameter_by_its_own_name(self, tmp_path: Path) -> None:
        found = written(
            tmp_path,
            [run(0.8, 0.8, method="at", hyperparameters=json.dumps({"at.p": 2, "at.weight": w})) for w in (500, 1000)],
        )
        assert [trial.params for trial in found.trials] == [{"at.weight": 500}, {"at.weight": 1000}]

    def test_states(self, tmp_path: Path) -> None:
        rows = [
            run(0.8, 0.8),
            run(0.3, 0.2, status="stopped"),
            run(0.1, 0.1, status="failed", error="NumbersError: nan"),
            run(status="lost"),
            run(0.8, 0.8, status="running"),
            run(status="unfinished"),
            run(None, None),
        ]
        found = written(
            tmp_path, rows, [{"spec_id": "run1", "epoch": e, "validation_accuracy": e / 10} for e in (1, 2)]
        )
        assert [trial.state.name for trial in found.trials] == [
            "COMPLETE", "PRUNED", "FAIL", "FAIL", "RUNNING", "WAITING", "FAIL",
        ]  # fmt: skip
        assert found.trials[1].value == 0.2  # where it was stopped
        assert found.trials[2].user_attrs["error"] == "NumbersError: nan"

    def test_epochs_are_intermediate_values(self, tmp_path: Path) -> None:
        epochs = [{"spec_id": "run0", "epoch": e, "validation_accuracy": e / 10, "test_accuracy": 0.9} for e in (1, 2)]
        assert written(tmp_path, [run(0.8, 0.2)], epochs).trials[0].intermediate_values == {1: 0.1, 2: 0.2}

    def test_durations_from_the_sweeps_begin(self, tmp_path: Path) -> None:
        (tmp_path / "sweep.json").write_text(json.dumps({"sweep_format": 1, "name": "mine", "began": BEGAN}))
        found = written(tmp_path, [run(0.8, 0.8, train_seconds=90.0)])
        assert found.study_name == "mine"
        duration, start = found.trials[0].duration, found.trials[0].datetime_start
        assert duration is not None
        assert start is not None
        assert duration.total_seconds() == 90
        assert start.astimezone().timestamp() == 1767323045


class TestValue:
    def test_what_selects(self, tmp_path: Path) -> None:
        assert written(tmp_path, [run(0.8, 0.7)]).user_attrs["value"] == "validation_accuracy_last"

    def test_without_held_out_images_the_test_set_and_it_is_said(self, tmp_path: Path) -> None:
        epochs = [{"spec_id": "run0", "epoch": 1, "test_accuracy": 0.8}]
        found = written(tmp_path, [run(0.8, protocol="published")], epochs)
        assert (found.trials[0].value, found.trials[0].intermediate_values) == (0.8, {1: 0.8})
        assert found.user_attrs["value"] == "test_accuracy_last, which selects on the test set: biased"
        assert found.metric_names == ["test accuracy"]


class TestFile:
    def test_the_same_runs_are_the_same_bytes_and_no_trial_is_there_twice(self, tmp_path: Path) -> None:
        written(tmp_path, [run(0.8, 0.8), run(0.8, 0.8, temperature=1.0)])
        before = (tmp_path / "optuna.journal").read_bytes()
        write_study(str(tmp_path))
        assert (tmp_path / "optuna.journal").read_bytes() == before
        assert len(study(tmp_path).trials) == 2

    def test_a_uri_will_do(self, tmp_path: Path) -> None:
        sweep(tmp_path, [run(0.8, 0.8)])
        write_study(tmp_path.as_uri())
        assert len(study(tmp_path).trials) == 1

    def test_the_searchers_own_study_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "study.journal").write_bytes(b"the searcher's")
        written(tmp_path, [run(0.8, 0.8)])
        assert (tmp_path / "study.journal").read_bytes() == b"the searcher's"

    @pytest.mark.parametrize("rows", [[], [run(0.1, status="failed")], [run(None, status="finished")]])
    def test_nothing_finished(self, tmp_path: Path, rows: list[dict[str, Any]]) -> None:
        assert all(trial.state == TrialState.FAIL for trial in written(tmp_path, rows).trials)

    def test_the_dashboard_can_add_to_it(self, tmp_path: Path) -> None:
        found = written(tmp_path, [run(0.8, 0.8)])
        found.set_user_attr("note", "mine")
        assert study(tmp_path).user_attrs["note"] == "mine"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(sweep(tmp_path, [run(0.8, 0.8)]), tmp_path / "mine")
    assert main([str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder}/optuna.journal: study mine, 1 trials\n"
    assert main([str(tmp_path / "nowhere")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
