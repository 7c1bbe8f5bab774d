"""A finished run out of the run store, and the folder of its export: what is not there, changed, or another's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import exported_runs
import pytest

from kd_trainable.export.student import Trained
from kd_trainable.spec import RunSpec
from kd_trainable.tuning import results, winner
from kd_trainable.tuning.results import Ending
from kd_trainable.tuning.run_folder import RunFolder
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError

RUN = exported_runs.trained(steps=False)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(exported_runs.stored(tmp_path / "results", RUN)))


def refusal(work: Any, *arguments: Any) -> str:
    with pytest.raises(InputError) as error:
        work(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def weights(storage: Storage) -> Path:
    (found,) = Path(storage.path("runs", RUN.spec_id)).glob("weights-*.safetensors")
    return found


def test_a_finished_run_comes_as_it_was_written(storage: Storage) -> None:
    found = winner.trained(storage, RUN.spec_id)
    assert isinstance(found, Trained)
    assert (found.spec, found.weights) == (RUN.spec, RUN.weights)
    assert found.result["test_accuracy_last"] == 0.5


@pytest.mark.parametrize("length", [4, 8, 16])
def test_a_run_is_named_by_how_its_name_begins(storage: Storage, length: int) -> None:
    assert winner.full_name(storage, RUN.spec_id[:length]) == RUN.spec_id


def test_a_run_that_is_not_there_or_not_one(storage: Storage, tmp_path: Path) -> None:
    assert "holds 1 runs, none of that name; must be a spec_id" in refusal(winner.full_name, storage, "zzz")
    assert "holds 1 runs" in refusal(winner.full_name, storage, "")
    assert "holds no runs" in refusal(winner.full_name, Storage(str(tmp_path / "nothing")), "a")
    Path(storage.path("runs", RUN.spec_id[:4] + "0" * 12)).mkdir()
    assert "is the beginning of 2 runs" in refusal(winner.full_name, storage, RUN.spec_id[:4])
    assert winner.full_name(storage, RUN.spec_id) == RUN.spec_id


@pytest.mark.parametrize("status", ["failed", "stopped"])
def test_a_run_without_weights(storage: Storage, status: str) -> None:
    spec = RunSpec(**{**exported_runs.BRIEF, "seed": 7})
    place = RunFolder(storage, "other")
    place.claim()
    assert "run: other is unfinished" in refusal(winner.trained, storage, "other")
    place.finish(results.result("other", spec, Ending(status), [], {}), None)
    assert f"run: other is {status}; only a finished run" in refusal(winner.trained, storage, "other")


def test_weights_that_are_gone(storage: Storage) -> None:
    gone = weights(storage)
    gone.unlink()
    assert refusal(winner.trained, storage, RUN.spec_id).endswith(f"{gone} is missing")


def test_weights_of_an_earlier_version_have_a_fixed_name(storage: Storage) -> None:
    weights(storage).rename(storage.path("runs", RUN.spec_id, "weights.safetensors"))
    assert winner.trained(storage, RUN.spec_id).weights == RUN.weights


def test_a_fenced_attempts_late_weights_change_nothing(storage: Storage) -> None:
    """The put of a worker that outlives its driver may arrive at an object store after its successor's."""
    beside = RunFolder(Storage(storage.uri + "-beside"), RUN.spec_id)
    beside.claim()
    beside.finish(dict(RUN.result), b"another attempt's")
    (late,) = Path(beside.storage.path("runs", RUN.spec_id)).glob("weights-*")
    late.rename(weights(storage).with_name(late.name))
    assert winner.trained(storage, RUN.spec_id).weights == RUN.weights


@pytest.mark.parametrize("said", ["../../../secret", "A" * 64, 7, ["a"], ""])
def test_a_name_for_weights_that_is_no_sha256(storage: Storage, said: Any) -> None:
    path = Path(storage.path("runs", RUN.spec_id, "result.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "weights_sha256": said}))
    assert "its result.json says weights_sha256 is " in refusal(winner.trained, storage, RUN.spec_id)


def test_weights_of_which_one_bit_is_another(storage: Storage) -> None:
    """A safetensors file has no digest of its own, so the result holds one."""
    content = bytearray(weights(storage).read_bytes())
    content[-5] ^= 1
    weights(storage).write_bytes(bytes(content))
    assert "is damaged: its sha256 is not the one its result says" in refusal(winner.trained, storage, RUN.spec_id)


def test_a_result_of_another_version(storage: Storage) -> None:
    path = Path(storage.path("runs", RUN.spec_id, "result.json"))
    found = json.loads(path.read_text())
    path.write_text(json.dumps({**found, "spec": {**found["spec"], "colour": "red"}}))
    assert "was written by another version" in refusal(winner.trained, storage, RUN.spec_id)


def test_the_results_folder_of_a_sweeps_folder(storage: Storage, tmp_path: Path) -> None:
    for given in (storage.path(), storage.path("sweeps", "first"), storage.path("sweeps", "first") + "/"):
        assert winner.root(given).path().rstrip("/") == storage.path()
    inside = exported_runs.stored(tmp_path / "sweeps" / "results", RUN)  # a results folder may lie in any folder
    assert winner.root(str(inside)).path() == str(inside)


def test_the_sweep_that_lists_a_run(storage: Storage) -> None:
    assert winner.sweep_of(storage, RUN.spec_id) == "first"
    assert winner.sweep_of(storage, "another") == ""


FILES = {"model.x": b"model", "card.json": json.dumps({"export_format": 1, "spec_id": "a"}).encode()}


class TestFolderOfAnExport:
    @pytest.mark.parametrize("folder", ["exports/s-a", ""])
    def test_it_is_new_or_the_same_runs(self, tmp_path: Path, folder: str) -> None:
        to = Storage(str(tmp_path / "out"))
        assert winner.before(to, folder, "a") is None
        winner.put(to, folder, FILES)
        assert (tmp_path / "out" / folder / "model.x").read_bytes() == b"model"
        assert winner.before(to, folder, "a") == {"export_format": 1, "spec_id": "a"}
        assert "holds the export of run a" in refusal(winner.before, to, folder, "b")

    def test_what_else_lies_in_a_folder_is_not_written_over(self, tmp_path: Path) -> None:
        (tmp_path / "README.md").write_text("mine")
        line = refusal(winner.before, Storage(str(tmp_path)), "", "a")
        assert line == f"out: {tmp_path} holds other files; must be a new or empty folder"

    def test_a_file_in_the_folders_place(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("mine")
        assert "cannot be written: " in refusal(winner.put, Storage(str(tmp_path / "out" / "inner")), "", FILES)
        assert (tmp_path / "out").read_text() == "mine"

    def test_a_disk_that_fills_up_leaves_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write = Storage.write

        def full(self: Storage, path: str, content: bytes) -> None:
            if path.endswith("card.json"):
                raise OSError(28, "No space left on device")
            write(self, path, content)

        monkeypatch.setattr(Storage, "write", full)
        line = refusal(winner.put, Storage(str(tmp_path)), "exports/a", FILES)
        assert line == f"out: {tmp_path}/exports/a cannot be written: No space left on device"
        assert not (tmp_path / "exports" / "a").exists()
