"""One call, a table: what is missing is run, what is there is not, and the teacher is paid for once."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import torch
from safetensors.torch import load_file
from short_runs import files, history, numbers, result

from kd_trainable.records import EPOCH_COLUMNS, RUN_COLUMNS
from kd_trainable.tuning import Settings, sweep
from kd_trainable.tuning.run_folder import weights_name
from kd_trainable.vocabulary import InputError

Sweep = Callable[..., pd.DataFrame]
ASKED: dict[str, Any] = {"temperature": [1, 4], "seeds": [0, 1]}


@pytest.fixture(scope="module")
def first(short_sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """A sweep of two cells and a baseline on two seeds: its storage, not to be written to, and its runs."""
    storage = tmp_path_factory.mktemp("first")
    return storage, short_sweep(storage, **ASKED)


@pytest.fixture
def storage(first: tuple[Path, pd.DataFrame], tmp_path: Path) -> Path:
    """The first sweep's storage, to go on with."""
    return Path(shutil.copytree(first[0], tmp_path / "results"))


def durable(storage: Path) -> dict[str, tuple[int, bytes]]:
    """All but the tables, which are made anew at will."""
    return {name: found for name, found in files(storage).items() if not name.startswith(("sweeps/", ".lock"))}


class TestRuns:
    def test_one_row_a_run(self, first: tuple[Path, pd.DataFrame]) -> None:
        runs = first[1]
        assert list(runs.columns) == [c.name for c in RUN_COLUMNS]
        rows = runs[["method", "temperature", "seed", "status", "attempts", "epochs_run"]].astype(object)
        rows = rows.where(rows.notna(), None)
        assert sorted(map(tuple, rows.values.tolist()), key=str) == [
            ("kd", 1.0, 0, "finished", 1, 3),
            ("kd", 1.0, 1, "finished", 1, 3),
            ("kd", 4.0, 0, "finished", 1, 3),
            ("kd", 4.0, 1, "finished", 1, 3),
            ("none", None, 0, "finished", 1, 3),
            ("none", None, 1, "finished", 1, 3),
        ]

    def test_runs_learn(self, first: tuple[Path, pd.DataFrame]) -> None:
        runs = first[1]
        assert (runs["test_accuracy_last"] > 0.6).all()
        assert runs["test_accuracy_last"].nunique() > 1
        assert (runs["train_seconds"] > 0).all()
        assert runs["error"].isna().all()

    def test_what_lies_there(self, first: tuple[Path, pd.DataFrame]) -> None:
        storage, runs = first
        assert {path.name for path in storage.iterdir() if path.name[0] != "."} == {"runs", "sweeps", "logits"}
        assert {path.name for path in (storage / "runs").iterdir()} == set(runs["spec_id"])
        for folder in (storage / "runs").iterdir():
            sha256 = json.loads((folder / "result.json").read_text())["weights_sha256"]
            kept = {"lease.json", "result.json", "spec.json", weights_name(sha256)}
            assert {path.name for path in folder.iterdir()} == kept
        tables = {
            name: pd.read_parquet(storage / "sweeps" / "short" / f"{name}.parquet") for name in ("runs", "epochs")
        }
        pd.testing.assert_frame_equal(tables["runs"], runs)
        assert list(tables["epochs"].columns) == [c.name for c in EPOCH_COLUMNS]
        assert len(tables["epochs"]) == 3 * len(runs)

    def test_the_final_weights_are_the_student(self, first: tuple[Path, pd.DataFrame]) -> None:
        storage, runs = first
        (kept,) = (storage / "runs" / runs["spec_id"][0]).glob("weights-*")
        weights = load_file(kept)
        assert sum(value.numel() for value in weights.values()) == 1_210


class TestAgain:
    def test_the_same_call_starts_nothing(
        self, storage: Path, first: tuple[Path, pd.DataFrame], short_sweep: Sweep, nothing_starts: None
    ) -> None:
        before = durable(storage)
        said: list[str] = []
        again = short_sweep(storage, **ASKED, say=said.append)
        pd.testing.assert_frame_equal(again, first[1])
        assert durable(storage) == before
        assert said == ["all 6 runs are done already; nothing to start"]

    def test_a_smaller_one_shows_its_own_cells(self, storage: Path, short_sweep: Sweep, nothing_starts: None) -> None:
        assert len(short_sweep(storage, temperature=[4], seeds=[1])) == 2

    def test_a_wider_grid_runs_only_the_new_cells(self, storage: Path, short_sweep: Sweep) -> None:
        before = durable(storage)
        wider = short_sweep(storage, temperature=[1, 4, 8], seeds=[0, 1], name="wider")
        assert (len(wider), set(wider["status"])) == (8, {"finished"})
        after = durable(storage)
        assert {name: after[name] for name in before} == before
        new = {name.split("/")[1] for name in after.keys() - before.keys()}
        assert new == set(wider.loc[wider["temperature"] == 8, "spec_id"])

    def test_rerun_runs_all_again_and_comes_to_the_same(
        self, storage: Path, first: tuple[Path, pd.DataFrame], short_sweep: Sweep
    ) -> None:
        before = durable(storage)
        again = short_sweep(storage, **ASKED, rerun=True)
        after = durable(storage)
        assert [name for name in before if name.startswith("runs/") and after[name][0] == before[name][0]] == []
        assert [name for name in before if name.startswith("logits/") and after[name] != before[name]] == []
        pd.testing.assert_frame_equal(numbers(again), numbers(first[1]))
        for spec_id in again["spec_id"]:
            assert history(storage, spec_id) == history(first[0], spec_id)


class TestTeacherPasses:
    def test_one_view_is_one_pass(self, first: tuple[Path, pd.DataFrame]) -> None:
        """And one more, over the test images, which students are compared on."""
        assert sorted(path.name for path in (first[0] / "logits").glob("*/*")) == ["test.npy", "view-000.npy"]
        assert (first[1]["teacher_seconds"] > 0).sum() in (1, 2)  # one or two runs computed them, for all

    def test_each_seed_and_epoch_is_one_pass_for_all_cells(self, tmp_path: Path, short_sweep: Sweep) -> None:
        said: list[str] = []
        asked = {"temperature": [1, 4], "alpha": [0.5, 0.9], "seeds": [0, 1], "augment": "crop4+flip"}
        runs = short_sweep(tmp_path, **asked, baselines=False, say=said.append)
        assert set(runs["status"]) == {"finished"}
        assert "teacher passes over the training images: 6, not 24" in said
        assert len(list((tmp_path / "logits").glob("*/seed-*-epoch-*.npy"))) == 6

    def test_kept_for_later_sweeps(self, storage: Path, short_sweep: Sweep) -> None:
        said: list[str] = []
        runs = short_sweep(storage, temperature=[2], alpha=0.5, baselines=False, say=said.append)
        assert "teacher passes over the training images: 1 (1 of them kept already), not 3" in said
        assert list(runs["teacher_seconds"]) == [0.0]


def brokers() -> list[int]:
    """Processes of brokers of teacher passes, of this session's cluster."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [process.pid] if process.name().startswith("ray::PassBroker") else []
    return found


def test_nothing_of_a_sweep_stays_in_a_cluster_that_stays(first: tuple[Path, pd.DataFrame]) -> None:
    until = time.monotonic() + 20
    while brokers() and time.monotonic() < until:
        time.sleep(0.2)
    assert brokers() == []


class TestForeignTeacher:
    def test_a_state_dict_with_the_name_of_its_network(
        self, tmp_path: Path, teacher: str, first: tuple[Path, pd.DataFrame], short_sweep: Sweep
    ) -> None:
        weights = load_file(Path(teacher) / "weights.safetensors")
        torch.save({"state_dict": {f"module.{k}": v for k, v in weights.items()}}, tmp_path / "foreign.pt")
        foreign = {"teacher": str(tmp_path / "foreign.pt"), "teacher_model": "digits_cnn"}
        runs = short_sweep(tmp_path / "results", temperature=[1], baselines=False, **foreign)
        known = first[1]
        own = known[(known["temperature"] == 1) & (known["seed"] == 0)]
        assert list(runs["teacher_saw_validation"]) == ["unknown"]
        assert list(own["teacher_saw_validation"]) == ["no"]
        assert list(runs["spec_id"]) == list(own["spec_id"])  # a run is named by its teacher's weights
        assert history(tmp_path / "results", runs["spec_id"][0]) == history(first[0], runs["spec_id"][0])


class TestCall:
    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ({"temprature": [1]}, "temprature: no such argument (did you mean 'temperature'?)"),
            ({"storge": "x"}, "storge: no such argument (did you mean 'storage'?)"),
            ({"settings": Settings(), "retries": 1}, "settings: given as settings and as retries; give one of them"),
            ({"name": "a/b"}, "name: 'a/b' is not allowed"),
            ({"seed": 1}, "seed: 1 is not allowed; give seeds, a list"),
        ],
    )
    def test_refused_in_one_line(
        self, asked: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(InputError) as refusal:
            sweep(**{"dataset": "digits", "student": "digits_mlp", **asked})
        assert str(refusal.value).startswith(said)
        assert list(tmp_path.iterdir()) == []


def test_what_a_run_used_is_recorded(first: tuple[Path, pd.DataFrame], teacher: str) -> None:
    storage, runs = first
    for spec_id in runs["spec_id"]:
        found = result(storage, spec_id)
        assert found["threads"] == 1
        assert found["device"].startswith("cpu (")
        assert found["parameters"] == 1_210
        assert found["teacher_fingerprint"] == (Path(teacher).name if found["spec"]["method"] == "kd" else "")
