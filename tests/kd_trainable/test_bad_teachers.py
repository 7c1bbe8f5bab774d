"""A teacher's file that is none, or another's, is refused in one line, and never run."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from safetensors.torch import save_file
from test_teacher import network, saved

from kd_trainable import teacher
from kd_trainable.vocabulary import InputError


def refused(read: Callable[[], Any], *said: str) -> None:
    with pytest.raises(InputError) as caught:
        read()
    line = str(caught.value)
    assert line.startswith("teacher: ")
    assert "\n" not in line
    for words in said:
        assert words in line


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def card_with(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        edit(folder / "card.json", lambda content: json.dumps({**json.loads(content), **changes}).encode())

    return change


def weights(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "weights.safetensors", change)


def card(content: bytes) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "card.json", lambda _: content)


def card_without(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        values = json.loads((folder / "card.json").read_bytes())
        del values[name]
        (folder / "card.json").write_text(json.dumps(values))

    return change


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "weights.safetensors").unlink(), "no such file: "),
        (lambda folder: (folder / "card.json").unlink(), "; for a plain state_dict give --teacher-model NAME too"),
        (weights(lambda content: content[:-1]), "(sha256 differs): cut short or changed"),
        (weights(lambda content: content[:100]), "(sha256 differs): cut short or changed"),
        (weights(lambda content: b""), "(sha256 differs): cut short or changed"),
        (weights(lambda content: content[:-1] + bytes([content[-1] ^ 1])), "(sha256 differs): cut short or changed"),
        (card_with(fingerprint="0" * 64), "other weights than its card names (fingerprint differs)"),
        (card(b""), "is not a teacher's card"),
        (card(b"\xff\xfe\x00"), "is not a teacher's card"),
        (card(b"{"), "is not a teacher's card"),
        (card(b"[]"), "is not a teacher's card"),
        (card(b"null"), "is not a teacher's card"),
        (card(b"{}"), "has card format None; this version reads 1"),
        (card_with(card_format=2, news="of a later version"), "has card format 2; this version reads 1"),
        (card_with(news="of nobody"), "is not a teacher's card"),
        (card_with(classes="ten"), "is not a teacher's card (classes is 'ten')"),
        (card_with(classes=1), "is not a teacher's card (1 classes"),
        (card_with(architecture=None), "is not a teacher's card (architecture is None)"),
        (card_with(mean=0.5), "is not a teacher's card (mean is 0.5)"),
        (card_with(mean=["x"]), "is not a teacher's card"),
        (card_with(std=[0.2, 0.2]), "is not a teacher's card"),
        (card_with(std=[0.0]), "is not a teacher's card"),
        (card_with(test_accuracy="high"), "is not a teacher's card (test_accuracy is 'high')"),
        (card_without("fingerprint"), "is not a teacher's card"),
        (card_without("mean"), "is not a teacher's card"),
    ],
)
def test_a_damaged_folder_gets_one_clear_line(tmp_path: Path, damage: Callable[[Path], None], said: str) -> None:
    saved(tmp_path)
    damage(tmp_path)
    refused(lambda: teacher.load(tmp_path, "tiny:conv"), str(tmp_path), said)


def test_a_teacher_that_is_not_there_gets_one_clear_line(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path / "none.safetensors", tmp_path / "card.json", tmp_path):
        refused(lambda path=path: teacher.load(path), "no such file: ", str(tmp_path))
    for path in (tmp_path / "none.pt", tmp_path / "none.safetensors"):
        refused(lambda path=path: teacher.load_plain(path), f"{path} cannot be read: No such file")
    refused(lambda: teacher.load_plain(tmp_path), f"{tmp_path} cannot be read: Is a directory")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("tiny:mlp", "are not a tiny:mlp's: 1.weight is (6,), not (12, 64)"),
        ("tiny:wide_conv", "are not a tiny:wide_conv's: 10.weight is (4, 32), not (4, 128)"),
        ("tiny:deep_conv", "are not a tiny:deep_conv's: 11.weight is missing, not (4, 4)"),
        ("tiny:shallow_conv", "are not a tiny:shallow_conv's: 10.bias is (4,), not none"),
    ],
)
def test_another_architectures_weights_name_the_first_difference(tmp_path: Path, other: str, said: str) -> None:
    saved(tmp_path)
    card_with(architecture=other)(tmp_path)
    found = teacher.load(tmp_path, other)
    refused(lambda: teacher.rebuild(found.card, found.arrays), "the file's weights " + said)


class RunsCode:
    """What reading it as a pickle would do."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.marker,))


@pytest.mark.parametrize("save", ["torch", "legacy", "pickle"])
@pytest.mark.parametrize("suffix", [".pt", ".pkl", ".safetensors"])
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path: Path, save: str, suffix: str) -> None:
    path, marker = tmp_path / f"teacher{suffix}", tmp_path / "it ran"
    content = {"state_dict": network().state_dict(), "extra": RunsCode(marker)}
    if save == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=save == "torch")
    refused(lambda: teacher.load_plain(path), str(path))
    assert not marker.exists()
    (tmp_path / "card.json").write_bytes(b"{}")
    refused(lambda: teacher.load(path), "card")
    assert not marker.exists()


def test_a_whole_network_is_refused(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "teacher.pt")
    refused(lambda: teacher.load_plain(tmp_path / "teacher.pt"), "could run code")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_torch_file_cut_short_anywhere_is_refused(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "teacher.pt"
    torch.save(network().state_dict(), path, _use_new_zipfile_serialization=not legacy)
    content = path.read_bytes()
    for length in [0, 1, 2, 10, 100, *range(500, len(content) - 1, len(content) // 40), len(content) - 1]:
        path.write_bytes(content[:length])
        refused(lambda: teacher.load_plain(path), str(path), "cut short")


@pytest.mark.parametrize(
    "content",
    [
        torch.zeros(3),
        [torch.zeros(3)],
        {},
        {"epoch": 3},
        {"state_dict": {}},
        {"state_dict": {"a": torch.zeros(1), "b": 2}},
        {0: torch.zeros(1)},
        None,
    ],
)
def test_a_torch_file_that_holds_no_state_dict_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "teacher.pt")
    refused(lambda: teacher.load_plain(tmp_path / "teacher.pt"), "holds no state_dict (a mapping of names to tensors)")


def test_other_files_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.pt"
    text.write_text("the teacher is on the other disk\n")
    refused(lambda: teacher.load_plain(text), "not a state_dict that can be read safely")
    whole = tmp_path / "teacher.safetensors"
    save_file(network().state_dict(), whole)
    for content in (whole.read_bytes()[:-1], whole.read_bytes()[:9], b"", text.read_bytes()):
        whole.write_bytes(content)
        refused(lambda: teacher.load_plain(whole), "is not a whole safetensors file")


def test_a_wrong_number_of_classes_is_another_architecture() -> None:
    arrays = teacher.arrays_of(network().state_dict())
    module = tiny.conv(7, 1)
    tensors = {k: torch.from_numpy(v) for k, v in arrays.items()}
    refused(lambda: teacher.require_fit(module, tensors, "conv"), "10.weight is (4, 32), not (7, 32)")
