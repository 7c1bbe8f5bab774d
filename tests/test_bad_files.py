"""A teacher's file or a data folder that cannot be used gets one clear line; and leaves nothing behind."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torchvision.datasets import CIFAR10

from kd_trainable.models.build import build

Refused = Callable[..., str]
PLAIN = ("--teacher-model", "digits_cnn")
COLOUR = ("--dataset", "cifar10", "--student", "conv5x5")


@pytest.fixture
def copy(teacher: str, tmp_path: Path) -> Path:
    """A copy of the teacher's folder, to be damaged."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in ("weights.safetensors", "card.json"):
        (folder / name).write_bytes((Path(teacher) / name).read_bytes())
    return folder


def change(folder: Path, **values: Any) -> None:
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, **values}))


class TestTeacherWithCard:
    def test_cut_short(self, copy: Path, refused: Refused) -> None:
        weights = copy / "weights.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
        assert f"teacher: {weights} is not the file its card speaks of (sha256 differs)" in refused(
            "--teacher", str(copy)
        )

    def test_without_its_card(self, copy: Path, refused: Refused) -> None:
        (copy / "card.json").unlink()
        line = refused("--teacher", str(copy / "weights.safetensors"))
        assert f"teacher: no card {copy}/card.json; for a plain state_dict give --teacher-model NAME too" in line

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({"architecture": "digits_mlp"}, "teacher: the file's weights are not a digits_mlp's: "),
            ({"classes": 100}, "teacher: it knows 100 classes; digits has 10"),
            (
                {"dataset": "cifar10", "data_fingerprint": "e6"},
                "teacher: it was trained on cifar10; this sweep is on d",
            ),
            ({"validation_accuracy": 0.5}, "but its card says 50.00 %: other images, or other weights"),
            ({"card_format": 99}, "has card format 99; this version reads 1"),
            ({"mean": "grey"}, "card.json is not a teacher's card (mean is 'grey')"),
            ({"architecture": "digit_cnn"}, "unknown name 'digit_cnn' (did you mean 'digits_cnn'?)"),
        ],
    )
    def test_another_than_its_card_or_the_sweep_says(
        self, values: dict[str, Any], said: str, copy: Path, refused: Refused
    ) -> None:
        change(copy, **values)
        assert said in refused("--teacher", str(copy))

    def test_of_another_data_set(self, copy: Path, refused: Refused) -> None:
        line = refused("--teacher", str(copy), *COLOUR)
        assert "teacher: it was trained on digits; this sweep is on cifar10" in line

    def test_a_card_cut_short(self, copy: Path, refused: Refused) -> None:
        (copy / "card.json").write_text((copy / "card.json").read_text()[:-40])
        assert f"teacher: {copy}/card.json is not a teacher's card (" in refused("--teacher", str(copy))


class TestPlainTeacher:
    def save(self, tmp_path: Path, name: str, classes: int = 10) -> str:
        torch.manual_seed(0)
        torch.save(build(name, classes, 1).state_dict(), tmp_path / "plain.pt")
        return str(tmp_path / "plain.pt")

    def test_of_another_architecture(self, tmp_path: Path, refused: Refused) -> None:
        line = refused("--teacher", self.save(tmp_path, "digits_mlp"), *PLAIN)
        assert "teacher: the file's weights are not a digits_cnn's: " in line

    def test_of_another_class_count(self, tmp_path: Path, refused: Refused) -> None:
        line = refused("--teacher", self.save(tmp_path, "digits_cnn", classes=7), *PLAIN)
        assert "the file's weights are not a digits_cnn's: classifier.weight is (7, 64), not (10, 64)" in line

    def test_that_knows_nothing(self, tmp_path: Path, refused: Refused) -> None:
        line = refused("--teacher", self.save(tmp_path, "digits_cnn"), *PLAIN)
        assert "% on test images, hardly better than chance: other classes, another order of them" in line

    def test_cut_short(self, tmp_path: Path, refused: Refused) -> None:
        path = Path(self.save(tmp_path, "digits_cnn"))
        path.write_bytes(path.read_bytes()[:5000])
        assert f"teacher: {path} is not a state_dict that can be read safely: cut short" in refused(
            "--teacher", str(path), *PLAIN
        )

    def test_an_empty_file(self, tmp_path: Path, refused: Refused) -> None:
        (tmp_path / "empty.pt").touch()
        assert "empty.pt is not a state_dict" in refused("--teacher", str(tmp_path / "empty.pt"), *PLAIN)

    def test_a_pickle_that_would_run_code_does_not(self, tmp_path: Path, refused: Refused) -> None:
        class Trap:
            def __reduce__(self) -> tuple[Any, ...]:
                return os.mkdir, (str(tmp_path / "sprung"),)

        path = tmp_path / "trap.pt"
        for save in (lambda: path.write_bytes(pickle.dumps(Trap())), lambda: torch.save({"a": Trap()}, path)):
            save()
            assert "a pickle that holds more than tensors, which could run code" in refused(
                "--teacher", str(path), *PLAIN
            )
            refused("--teacher", str(path))
        assert not (tmp_path / "sprung").exists()

    def test_of_an_unknown_network(self, tmp_path: Path, refused: Refused) -> None:
        path = self.save(tmp_path, "digits_cnn")
        line = refused("--teacher", path, "--teacher-model", "digit_cnn")
        assert "teacher_model: unknown name 'digit_cnn' (did you mean 'digits_cnn'?); allowed: " in line
        line = refused("--teacher", path, "--teacher-model", "own_parts:nothing")
        assert "teacher_model: 'own_parts:nothing': module 'own_parts' has no 'nothing'" in line

    def test_safetensors_cut_short(self, teacher: str, tmp_path: Path, refused: Refused) -> None:
        path = tmp_path / "plain.safetensors"
        path.write_bytes((Path(teacher) / "weights.safetensors").read_bytes()[:-10])
        assert f"teacher: {path} is not a whole safetensors file" in refused("--teacher", str(path), *PLAIN)

    def test_a_folder(self, tmp_path: Path, refused: Refused) -> None:
        assert "teacher: no such file: " in refused("--teacher", str(tmp_path))


class TestData:
    def test_an_empty_folder(self, tmp_path: Path, refused: Refused) -> None:
        (tmp_path / "data").mkdir()
        line = refused(*COLOUR, "--data-dir", str(tmp_path / "data"))
        assert f"data_dir: '{tmp_path}/data' holds no CIFAR-10; give --data-dir a folder that holds" in line

    def test_a_damaged_file(self, tmp_path: Path, refused: Refused) -> None:
        folder = tmp_path / "data" / CIFAR10.base_folder
        folder.mkdir(parents=True)
        (folder / "data_batch_1").write_bytes(b"not what was published")
        line = refused(*COLOUR, "--data-dir", str(tmp_path / "data"))
        assert f"data_dir: {folder}/data_batch_1 is damaged: its md5 is " in line

    def test_a_missing_file(self, tmp_path: Path, refused: Refused) -> None:
        folder = tmp_path / "data" / CIFAR10.base_folder
        folder.mkdir(parents=True)
        (folder / "test_batch").touch()
        line = refused(*COLOUR, "--data-dir", str(tmp_path / "data"))
        assert "data_batch_1 cannot be read (No such file or directory); give --data-dir" in line

    def test_no_network(self, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
        def unreachable(*arguments: Any, **further: Any) -> None:
            raise OSError("Network is unreachable")

        monkeypatch.setattr(urllib.request, "urlopen", unreachable)
        line = refused(*COLOUR)
        assert "dataset: cifar10: no download from https://" in line
        assert "(Network is unreachable); without a network, give --data-dir a folder that holds" in line


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("mounting a file system is not permitted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
class TestDisk:
    def test_full(self, small_disk: Path, refused: Refused) -> None:
        line = refused("--storage", str(small_disk / "results"))
        assert f"storage: {small_disk}/results has 1 MiB free; at least 64 MiB needed" in line
        assert list(small_disk.iterdir()) == []

    def test_read_only(self, small_disk: Path, refused: Refused) -> None:
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        line = refused("--storage", str(small_disk / "results"))
        assert f"storage: {small_disk}/results cannot be written to: Read-only file system" in line


def test_the_weights_themselves_are_fine(teacher: str) -> None:
    """What all of this is about: the teacher that was damaged is whole."""
    assert sum(v.numel() for v in load_file(Path(teacher) / "weights.safetensors").values()) > 56_714
