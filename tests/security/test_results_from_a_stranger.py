"""A stranger's results folder and teacher: what a sweep, or an export, makes of files that were made to attack."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import conftest
import exported_runs
import numpy as np
import pytest

from kd_trainable import logits, shards, teacher
from kd_trainable.data.inputs import make_inputs
from kd_trainable.engine import checkpoint
from kd_trainable.models.build import build
from kd_trainable.spec import RunSpec, spec_id
from kd_trainable.tuning import teachers
from kd_trainable.tuning.ground import sole_driver
from kd_trainable.tuning.run_folder import RunFolder
from kd_trainable.tuning.searchers import SEARCHERS, study_key
from kd_trainable.tuning.space import Between, Space
from kd_trainable.tuning.store import Storage
from kd_trainable.tuning.study import open_study
from kd_trainable.vocabulary import InputError, Pixels

ROOT = Path(__file__).parents[2]
OWN = ["evil:build", "evilpackage.sub:build", "posix:system"]
Refused = Callable[..., str]


@pytest.fixture
def stranger(tmp_path: Path, sprung: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a stranger's, current and on Python's path, with modules to be imported."""
    results = conftest.plant(tmp_path / "stranger")
    monkeypatch.chdir(results)
    monkeypatch.setattr("sys.path", [*sys.path, str(results)])
    return results


def card_of(folder: Path, **changes: Any) -> None:
    values = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**values, **changes}))


@pytest.fixture
def small_teacher(stranger: Path) -> Path:
    """A teacher's folder, of a network as it was drawn."""
    arrays = teacher.arrays_of(build("digits_mlp", 10, 1).state_dict())
    card = teacher.Card("digits_mlp", "digits", "d" * 64, 10, 1, "dataset", (0.3,), (0.4,), teacher.fingerprint(arrays))
    (stranger / "teacher").mkdir()
    for name, content in teacher.encode(card, arrays)[1].items():
        (stranger / "teacher" / name).write_bytes(content)
    return stranger / "teacher"


CARDS: dict[str, tuple[dict[str, Any], str]] = {
    **{name: ({"architecture": name}, f"names own code, '{name}', which runs only where you name it") for name in OWN},
    "a path for a fingerprint": ({"fingerprint": "../../../etc"}, "fingerprint is '../../../etc'"),
    "more classes than memory": ({"classes": 10**15}, "1000000000000000 classes"),
    "a mean without end": ({"mean": [1e999]}, "is not a teacher's card"),
    "a mean of 400 digits": ({"mean": [10**400]}, "is not a teacher's card"),
    "nested deep": ({"recipe": json.loads("[" * 500 + "]" * 500)}, "is not a teacher's card (recipe is"),
}  # fmt: skip


@pytest.mark.parametrize("way_in", ["", "card.json", "weights.safetensors"])
@pytest.mark.parametrize("attack", CARDS)
def test_a_teachers_card_imports_nothing(attack: str, way_in: str, small_teacher: Path) -> None:
    changes, said = CARDS[attack]
    card_of(small_teacher, **changes)
    with pytest.raises(InputError) as refused:
        teacher.load(small_teacher / way_in)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_card_nested_without_end_is_one_line(small_teacher: Path) -> None:
    (small_teacher / "card.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="is not a teacher's card"):
        teacher.load(small_teacher)


def test_own_code_that_the_person_names_too_is_read(small_teacher: Path) -> None:
    card_of(small_teacher, architecture="own_parts:linear")
    assert teacher.load(small_teacher, "own_parts:linear").card.architecture == "own_parts:linear"
    with pytest.raises(InputError, match="names own code"):
        teacher.load(small_teacher, "own_parts:slow")


def test_safetensors_with_a_header_of_many_gigabytes_are_refused(stranger: Path) -> None:
    for size in (1 << 62, 1 << 34, 100_000_001):
        (stranger / "t.safetensors").write_bytes(size.to_bytes(8, "little") + b"{}")
        with pytest.raises(InputError, match="is not a whole safetensors file"):
            teacher.load_plain(stranger / "t.safetensors")


@pytest.mark.parametrize("attack", [*OWN, "digits_mlp"])
def test_a_kept_teacher_of_another_network_than_the_recipes_is_none(attack: str, small_teacher: Path) -> None:
    recipe = RunSpec(dataset="digits", student="digits_cnn", method="none")
    name = spec_id(recipe, "d" * 64)
    card_of(small_teacher, architecture=attack, recipe_id=name)
    small_teacher.parent.joinpath("teachers").mkdir()
    small_teacher.rename(small_teacher.parent / "teachers" / "kept")
    assert teachers.kept(Storage(small_teacher.parent), name, "digits_cnn") is None


SPACE = Space({"dataset": "digits"}, [{"temperature": Between(1.0, 8.0), "mode": ["kl", "mse"]}], [0])
CELLS: dict[str, Any] = {
    "own code": {"temperature": 2.0, "mode": "kl", "student": "evilpackage.sub:build"},
    "own code in a field of the space": {"temperature": 2.0, "mode": "evil:loss"},
    "beyond the range": {"temperature": 1e9, "mode": "kl"},
    "no cell": [["student", "evil:build"]],
    "nothing": None,
}


@pytest.mark.parametrize("attack", CELLS)
def test_a_study_proposes_no_cell_that_is_not_of_the_sweep(attack: str, stranger: Path) -> None:
    journal, key = stranger / "study.journal", study_key(SPACE)
    made: Any = SEARCHERS["optuna"](SPACE, 4, journal, key)
    trial = made.study.ask()
    trial.set_user_attr("cell", CELLS[attack])
    good = made.ask()
    again: Any = SEARCHERS["optuna"](SPACE, 4, journal, key)
    assert again.past() == [good[1]]
    assert again.ask() == good


@pytest.mark.parametrize(
    "content", [b"[1]\n", b'{"op_code": 0}\n', b"[" * 50_000 + b"\n", b'{"op_code": 99, "worker_id": 1}\n']
)
def test_a_study_that_is_none_is_one_line(content: bytes, stranger: Path) -> None:
    (stranger / "study.journal").write_bytes(content)
    with pytest.raises(InputError, match=r"study\.journal is not a sweep's study"):
        SEARCHERS["optuna"](SPACE, 4, stranger / "study.journal", study_key(SPACE))


GOOD = {"status": "finished", "spec": {"method": "kd"}, "history": []}
RESULTS: dict[str, Any] = {
    "a list": [],
    "a status that is none": {**GOOD, "status": ["finished"]},
    "an accuracy that is text": {**GOOD, "test_accuracy_last": "0.9"},
    "epochs of 400 digits": {**GOOD, "epochs_run": 10**400},
    "no spec": {**GOOD, "spec": [1]},
    "a spec that cannot be": {**GOOD, "spec": {"epochs": "many"}},
    "a method that is a list": {**GOOD, "spec": {"method": ["evil:loss"]}},
    "a history of texts": {**GOOD, "history": ["x"]},
    "an epoch of text": {**GOOD, "history": [{"epoch": "one"}]},
}


@pytest.mark.parametrize("attack", RESULTS)
def test_a_result_that_no_run_wrote_is_none(attack: str, stranger: Path) -> None:
    (stranger / "runs" / "r").mkdir(parents=True)
    (stranger / "runs" / "r" / "result.json").write_text(json.dumps(RESULTS[attack]))
    assert RunFolder(Storage(stranger), "r").result() is None
    (stranger / "runs" / "r" / "result.json").write_text(json.dumps(GOOD))
    assert RunFolder(Storage(stranger), "r").result() is not None


@pytest.mark.parametrize(
    "lease", ["[", "[" * 100_000, '{"attempt": "x"}', '{"attempt": -5}', "{}", '{"attempt": 1e999}']
)
def test_a_lease_that_no_attempt_wrote_is_taken_anyhow(lease: str, stranger: Path) -> None:
    (stranger / "runs" / "r").mkdir(parents=True)
    (stranger / "runs" / "r" / "lease.json").write_text(lease)
    assert RunFolder(Storage(stranger), "r").claim() == 1


@pytest.mark.parametrize("shape", ["(1 << 40, 1 << 20)", "(4, 10)", "(3,)"])
def test_kept_logits_take_no_more_memory_than_they_have_bytes(shape: str, stranger: Path) -> None:
    whole = shards.encode(np.zeros((3, 10), np.float16))[: -shards.DIGEST_SIZE]
    other = whole.replace(b"(3, 10), }", f"{eval(shape)}, }}".encode())
    import hashlib

    with pytest.raises(ValueError):  # numpy may refuse the header in its own words
        shards.decode(other + hashlib.sha256(other).digest())


@pytest.mark.parametrize("shape", [(4, 10), (1294, 9)])
def test_kept_logits_of_another_size_agree_with_nothing(shape: tuple[int, int]) -> None:
    inputs = make_inputs(exported_runs.digits(), "holdout", "dataset", "cpu", False)
    kept, network = np.zeros(shape, np.float16), build("digits_mlp", 10, 1)
    assert logits.disagreement(network, inputs, Pixels("none"), shards.Shard(view=0), kept) == float("inf")


def test_a_checkpoint_nested_without_end_is_no_checkpoint() -> None:
    run = exported_runs.run_of(exported_runs.digits(), epochs=1)
    whole = checkpoint.encode(run, {})
    tensors, _, _ = checkpoint.decode(whole)
    deep = "[" * 100_000
    metadata = {"history": deep, "facts": "{}", "sha256": checkpoint._digest(tensors, deep, "{}")}
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        checkpoint.decode(checkpoint.save(checkpoint._separate(tensors), metadata))


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What a person has elsewhere, and a stranger's links point to."""
    (tmp_path / "home").mkdir()
    for name in ("profile", "result.json", "spec.json"):
        (tmp_path / "home" / name).write_text("mine")
    yield tmp_path / "home"
    assert {path.name: path.read_text() for path in (tmp_path / "home").iterdir()} == dict.fromkeys(
        ("profile", "result.json", "spec.json"), "mine"
    )


def test_links_out_of_a_results_folder_are_not_written_through(stranger: Path, outside: Path) -> None:
    storage = Storage(stranger)
    (stranger / "runs").mkdir()
    (stranger / "runs" / "r").symlink_to(outside)
    (stranger / "logits").symlink_to(outside)
    (stranger / "sweeps" / "mine").mkdir(parents=True)
    for name in ("study.journal", "table.md"):
        (stranger / "sweeps" / "mine" / name).symlink_to(outside / "profile")
    for act in (
        lambda: storage.write("runs/r/spec.json", b"theirs"),
        lambda: storage.write("logits/new/x", b"theirs"),
        lambda: storage.delete("runs/r/profile"),
        lambda: storage.delete_folder("logits/../runs/r/x"),
        lambda: storage.sweep_up("runs/r"),
        lambda: RunFolder(storage, "r").claim(),
        lambda: open_study(storage, "mine").__enter__(),
    ):
        with pytest.raises(InputError, match=r"storage: .*(leads out of|is a link to)"):
            act()
    storage.write("sweeps/mine/table.md", b"ours")  # by rename, which replaces the link
    storage.delete_folder("runs/r")  # the link


def test_a_lock_that_is_a_link_is_refused(stranger: Path, outside: Path) -> None:
    (stranger / ".lock").symlink_to(outside / "profile")
    with pytest.raises(InputError, match="cannot be written to"), sole_driver(Storage(stranger)):
        pass


def test_a_folder_that_is_reached_by_a_link_is_as_good_as_any(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "disk")
    Storage(tmp_path / "results").write("runs/r/spec.json", b"{}")
    assert (tmp_path / "disk" / "runs" / "r" / "spec.json").exists()
