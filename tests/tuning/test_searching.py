"""Searchers and schedulers at work: what they try and stop, and that the same call goes on where the last one was."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from short_runs import files, history, numbers, result

from kd_trainable.tuning import Between

Sweep = Callable[..., pd.DataFrame]
HOPELESS = 1e-6
STOPPABLE: dict[str, Any] = {"lr": [0.05, 0.01, HOPELESS], "temperature": [1, 4], "epochs": 9}
SEARCHED: dict[str, Any] = {
    "searcher": "optuna",
    "temperature": Between(1, 8, True),
    "alpha": Between(0, 1),
    "seeds": [0, 1],
    "epochs": 2,
}


def runs_of(storage: Path) -> dict[str, tuple[int, bytes]]:
    """All that lies of the runs."""
    return files(storage / "runs")


@pytest.fixture(scope="module")
def stopped(short_sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    storage = tmp_path_factory.mktemp("asha")
    return storage, short_sweep(storage, **STOPPABLE, scheduler="asha")


@pytest.fixture(scope="module")
def searched(short_sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    storage = tmp_path_factory.mktemp("optuna")
    return storage, short_sweep(storage, **SEARCHED, num_samples=2)


class TestAsha:
    def test_some_are_stopped_and_say_where(self, stopped: tuple[Path, pd.DataFrame]) -> None:
        storage, runs = stopped
        assert set(runs["status"]) == {"finished", "stopped"}
        ended = runs[runs["status"] == "stopped"]
        assert (ended["epochs_run"] < 9).all()
        assert (ended["epochs_run"] >= 1).all()
        for _, run in ended.iterrows():
            rows = result(storage, run["spec_id"])["history"]
            assert len(rows) == run["epochs_run"]
            assert rows[-1]["validation_accuracy"] == run["validation_accuracy_last"]

    def test_baselines_never_are(self, stopped: tuple[Path, pd.DataFrame]) -> None:
        baselines = stopped[1][stopped[1]["method"] == "none"]
        assert list(baselines["epochs_run"]) == [9, 9, 9]  # the hopeless one, too: gains are measured against it
        assert set(baselines["lr"]) == {HOPELESS, 0.01, 0.05}

    def test_the_same_call_starts_nothing(
        self, stopped: tuple[Path, pd.DataFrame], short_sweep: Sweep, nothing_starts: None
    ) -> None:
        storage, runs = stopped
        before = runs_of(storage)
        again = short_sweep(storage, **STOPPABLE, scheduler="asha")
        pd.testing.assert_frame_equal(again, runs)
        assert runs_of(storage) == before

    @pytest.mark.slow
    def test_without_it_they_go_on_from_their_checkpoints_to_the_very_same_numbers(
        self, stopped: tuple[Path, pd.DataFrame], short_sweep: Sweep, tmp_path: Path
    ) -> None:
        storage = Path(shutil.copytree(stopped[0], tmp_path / "resumed"))
        before = stopped[1].set_index("spec_id")
        resumed = short_sweep(storage, **STOPPABLE)
        assert set(resumed["status"]) == {"finished"}
        assert set(resumed["epochs_run"]) == {9}
        for spec_id in before.index[before["status"] == "stopped"]:
            rows, rows_before = (result(at, spec_id)["history"] for at in (storage, stopped[0]))
            assert repr(rows[: len(rows_before)]) == repr(rows_before)  # with their times: they were not run again
        undisturbed = short_sweep(tmp_path / "undisturbed", **STOPPABLE)
        pd.testing.assert_frame_equal(numbers(resumed), numbers(undisturbed))
        for spec_id in undisturbed["spec_id"]:
            assert history(storage, spec_id) == history(tmp_path / "undisturbed", spec_id)


class TestOptuna:
    def told(self, storage: Path) -> dict[tuple[float, float], float | None]:
        """(T, alpha) -> the value that the study in the journal has for it."""
        journal = JournalStorage(JournalFileBackend(str(storage / "sweeps" / "short" / "study.journal")))
        (study,) = journal.get_all_studies()
        trials = optuna.load_study(study_name=study.study_name, storage=journal).get_trials()
        cells = {t.user_attrs["cell"]["temperature"]: t for t in trials if "cell" in t.user_attrs}
        return {(temperature, t.user_attrs["cell"]["alpha"]): t.value for temperature, t in cells.items()}

    def test_it_counts_cells_and_each_runs_on_all_seeds(self, searched: tuple[Path, pd.DataFrame]) -> None:
        runs = searched[1]
        cells = runs[runs["method"] == "kd"].groupby(["temperature", "alpha"])["seed"].apply(sorted)
        assert list(cells) == [[0, 1], [0, 1]]
        assert sorted(runs.loc[runs["method"] == "none", "seed"]) == [0, 1]
        assert set(runs["status"]) == {"finished"}

    def test_it_is_told_the_mean_over_seeds(self, searched: tuple[Path, pd.DataFrame]) -> None:
        storage, runs = searched
        means = runs[runs["method"] == "kd"].groupby(["temperature", "alpha"])["validation_accuracy_last"].mean()
        told = self.told(storage)
        assert told.keys() == set(means.index)
        assert all(math.isclose(told[cell] or 0, means[cell]) for cell in told)

    def test_the_same_call_starts_nothing(
        self, searched: tuple[Path, pd.DataFrame], short_sweep: Sweep, nothing_starts: None
    ) -> None:
        storage, runs = searched
        before = runs_of(storage), self.told(storage)
        again = short_sweep(storage, **SEARCHED, num_samples=2)
        pd.testing.assert_frame_equal(numbers(again), numbers(runs))
        assert (runs_of(storage), self.told(storage)) == before

    def test_more_samples_run_only_the_new_cells(
        self, searched: tuple[Path, pd.DataFrame], short_sweep: Sweep, tmp_path: Path
    ) -> None:
        storage = Path(shutil.copytree(searched[0], tmp_path / "more"))
        before = runs_of(storage)
        more = short_sweep(storage, **SEARCHED, num_samples=3)
        after = runs_of(storage)
        assert {name: after[name] for name in before} == before
        assert len({name.split("/")[0] for name in after.keys() - before.keys()}) == 2  # a cell on two seeds
        assert len(more) == len(searched[1]) + 2
        assert len(self.told(storage)) == 3
        assert self.told(searched[0]).items() <= self.told(storage).items()


@pytest.mark.slow
def test_random_cells(short_sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {**SEARCHED, "searcher": "random", "epochs": 1}
    runs = short_sweep(tmp_path, **asked, num_samples=2)
    cells = runs[runs["method"] == "kd"][["temperature", "alpha"]].drop_duplicates()
    assert (len(runs), len(cells)) == (6, 2)
    assert cells["temperature"].between(1, 8).all()


@pytest.mark.slow
def test_controls_do_harm(short_sweep: Sweep, tmp_path: Path) -> None:
    """Clearly, at high alpha and low T (measured: 0.87 and 0.88 under the teacher, at most 0.69 under a control)."""
    runs = short_sweep(
        tmp_path,
        temperature=1,
        alpha=0.9,
        control=["none", "shuffled-teacher", "uniform-teacher"],
        seeds=[0, 1],
        epochs=6,
    )
    assert set(runs["status"]) == {"finished"}
    accuracy = runs[runs["method"] == "kd"].groupby("control")["test_accuracy_last"]
    for control in ("shuffled-teacher", "uniform-teacher"):
        assert accuracy.max()[control] < accuracy.min()["none"] - 0.1
