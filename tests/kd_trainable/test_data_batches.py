"""CIFAR-100 and downsampled ImageNet: batch files are read as published, and their pickles can run nothing."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision.datasets import CIFAR100
from toy_data import bytes_of, md5, one_line, same_arrays, serving

from kd_trainable.data.batches import read_batch
from kd_trainable.data.cifar100 import cifar100
from kd_trainable.data.imagenet32 import imagenet32
from kd_trainable.data.load import load
from kd_trainable.data.pickles import read_pickle
from kd_trainable.vocabulary import InputError

NAMES = [*(f"train_data_batch_{k}" for k in range(1, 11)), "val_data"]


def batch(seed: int, labels: list[int]) -> dict[str, Any]:
    return {"data": bytes_of(seed, len(labels), 3072), "labels": labels, "mean": np.zeros(3072)}


BATCHES = {name: batch(seed, [seed + 1, 1000]) for seed, name in enumerate(NAMES)}


def pickled(folder: Path, protocol: int = 3) -> Path:
    """Downsampled ImageNet in two images a file."""
    folder.mkdir(parents=True)
    for name, contents in BATCHES.items():
        (folder / name).write_bytes(pickle.dumps(contents, protocol))
    return folder


class Trap:
    """A pickle that makes a folder when it is read."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> Any:
        return Path.mkdir, (self.sprung,)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """CIFAR-100 in three images a file, under its md5s."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    split = {"coarse_labels": [0, 0, 0], "fine_labels": [99, 0, 7], "filenames": ["a", "b", "c"]}
    contents: dict[str, Any] = {
        "train": {"data": bytes_of(1, 3, 3072), **split},
        "test": {"data": bytes_of(2, 3, 3072), **split},
        "meta": {"fine_label_names": [f"fine{k}" for k in range(100)], "coarse_label_names": ["coarse"]},
    }
    files = {name: pickle.dumps(content) for name, content in contents.items()}
    monkeypatch.setattr(CIFAR100, "train_list", [["train", md5(files["train"])]])
    monkeypatch.setattr(CIFAR100, "test_list", [["test", md5(files["test"])]])
    monkeypatch.setattr(CIFAR100, "meta", {**CIFAR100.meta, "md5": md5(files["meta"])})
    return files


def test_cifar100_has_its_fine_labels(toy: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name, content in toy.items():
        (folder / name).write_bytes(content)
    data = cifar100(tmp_path)
    assert data.train_labels.tolist() == [99, 0, 7]
    assert (data.classes[99], len(data.classes)) == ("fine99", 100)
    assert (data.train_images == bytes_of(1, 3, 3072).reshape(3, 3, 32, 32)).all()
    assert same_arrays(cifar100(folder), data)
    with pytest.raises(InputError) as caught:
        load("cifar100", tmp_path)
    one_line(caught, "dataset: cifar100: training images: 3 loaded; must be 50000")
    (folder / "test").write_bytes(toy["test"][:-1])
    with pytest.raises(InputError) as caught:
        cifar100(tmp_path)
    one_line(caught, "cifar-100-python/test is damaged", md5(toy["test"]))


def test_cifar100_is_downloaded_once(toy: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "served").mkdir()
    with tarfile.open(tmp_path / "served" / CIFAR100.filename, "w:gz") as tar:
        for name, content in toy.items():
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    archive = (tmp_path / "served" / CIFAR100.filename).read_bytes()
    monkeypatch.setattr(CIFAR100, "tgz_md5", hashlib.md5(archive).hexdigest())
    with serving(tmp_path / "served") as address:
        monkeypatch.setattr(CIFAR100, "url", address + CIFAR100.filename)
        data = cifar100()
    assert same_arrays(cifar100(download=False), data)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_imagenet32_is_read_from_pickles_of_any_age(tmp_path: Path, protocol: int) -> None:
    data = imagenet32(pickled(tmp_path / "in", protocol))
    assert data.train_images.shape == (20, 3, 32, 32)
    assert (data.train_images[2:4].reshape(2, -1) == BATCHES["train_data_batch_2"]["data"]).all()
    assert data.train_labels.tolist()[:4] == [0, 999, 1, 999]
    assert (data.test_images.reshape(2, -1) == BATCHES["val_data"]["data"]).all()
    assert data.classes[999] == "1000"
    mean, std = data.normalizations["dataset"]
    assert mean == pytest.approx(data.train_images.mean((0, 2, 3)) / 255, abs=5.1e-5)
    assert std == pytest.approx(data.train_images.std((0, 2, 3)) / 255, abs=5.1e-5)


def test_pickles_of_numpy_1_and_of_python_2_are_read(tmp_path: Path) -> None:
    """numpy 1 says numpy.core where numpy 2 says numpy._core; Python 2 had no bytes."""
    contents = pickle.dumps(batch(0, [1]), 2)
    assert b"numpy._core" in contents
    (tmp_path / "old").write_bytes(contents.replace(b"numpy._core", b"numpy.core"))
    assert read_batch(tmp_path / "old")[0].tobytes() == bytes_of(0, 1, 3072).tobytes()
    (tmp_path / "two").write_bytes(b"\x80\x02}q\x00U\x04nameU\x02\xe9\x80s.")
    assert read_pickle(tmp_path / "two") == {"name": "é\x80"}


def test_imagenet32_is_read_from_npz_in_the_published_folders(tmp_path: Path) -> None:
    for name, contents in BATCHES.items():
        folder = tmp_path / ("Imagenet32_val_npz" if name == "val_data" else "Imagenet32_train_npz")
        folder.mkdir(exist_ok=True)
        np.savez(folder / f"{name}.npz", **{**contents, "labels": np.array(contents["labels"])})
    assert same_arrays(imagenet32(tmp_path), imagenet32(pickled(tmp_path / "in")))


def test_a_pickle_can_run_nothing(tmp_path: Path) -> None:
    folder = pickled(tmp_path / "in")
    (folder / "train_data_batch_3").write_bytes(pickle.dumps(batch(0, [1]) | {"mean": Trap(tmp_path / "sprung")}))
    with pytest.raises(InputError) as caught:
        imagenet32(folder)
    one_line(
        caught, "train_data_batch_3 cannot be read as a pickle of arrays (it asks for pathlib", "no part of an array"
    )
    assert not (tmp_path / "sprung").exists()
    np.savez(tmp_path / "trap.npz", data=np.array([Trap(tmp_path / "sprung")]), labels=np.array([1]))
    with pytest.raises(InputError) as caught:
        read_batch(tmp_path / "trap.npz")
    one_line(caught, "trap.npz cannot be read as an npz of arrays (Object arrays cannot be loaded")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("called", ["os.system", "builtins.eval", "numpy.load", "codecs.decode", "builtins.getattr"])
def test_only_arrays_are_rebuilt(tmp_path: Path, called: str) -> None:
    module, _, name = called.partition(".")
    (tmp_path / "batch").write_bytes(f"c{module}\n{name}\n(V1\ntR.".encode())
    with pytest.raises(InputError) as caught:
        read_pickle(tmp_path / "batch")
    one_line(caught, f"it asks for {called}, which is no part of an array")


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ([1, 2], "holds a list; allowed: a dict of arrays"),
        ({"labels": [1]}, "has no 'data'; it has labels"),
        ({"data": bytes_of(0, 1, 3072), "mean": 0}, "has no 'labels'; it has data, mean"),
        ({"data": bytes_of(0, 1, 3071), "labels": [1]}, "data is uint8 (1, 3071); allowed: uint8 [N, 3072]"),
        ({"data": np.zeros((1, 3072)), "labels": [1]}, "data is float64 (1, 3072); allowed: uint8 [N, 3072]"),
        ({"data": "pixels", "labels": [1]}, "data is str; allowed: uint8 [N, 3072]"),
        ({"data": bytes_of(0, 1, 3072), "labels": [1, 2]}, "labels are int64 (2,); allowed: whole numbers [1]"),
        ({"data": bytes_of(0, 1, 3072), "labels": [1.5]}, "labels are float64 (1,); allowed: whole numbers [1]"),
        ({"data": bytes_of(0, 2, 3072), "labels": [[1], [1, 2]]}, "labels are object (2,); allowed: whole numbers"),
    ],
)
def test_a_batch_that_is_none_is_said(tmp_path: Path, contents: Any, said: str) -> None:
    (tmp_path / "batch").write_bytes(pickle.dumps(contents))
    with pytest.raises(InputError) as caught:
        read_batch(tmp_path / "batch")
    one_line(caught, f"data_dir: {tmp_path / 'batch'}", said)


@pytest.mark.parametrize("name", ["batch", "batch.npz"])
@pytest.mark.parametrize("content", [b"", b"neither pickle nor npz", b"\x80\x04\x95\xff"])
def test_a_damaged_batch_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_batch(tmp_path / name)
    one_line(caught, f"data_dir: {tmp_path / name} cannot be read as a")


def test_imagenet32_needs_data_dir_and_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load("imagenet32")
    one_line(caught, "data_dir: none given; imagenet32 is not downloaded, since image-net.org asks for a login")
    folder = pickled(tmp_path / "in")
    (folder / "train_data_batch_10").unlink()
    with pytest.raises(InputError) as caught:
        imagenet32(folder)
    one_line(caught, f"data_dir: '{folder}' has no train_data_batch_10; ", "login")


@pytest.mark.parametrize("label", [0, 1001])
def test_imagenet32_labels_outside_1_to_1000_are_refused(tmp_path: Path, label: int) -> None:
    folder = pickled(tmp_path / "in")
    (folder / "val_data").write_bytes(pickle.dumps(batch(0, [label])))
    with pytest.raises(InputError) as caught:
        imagenet32(folder)
    one_line(caught, f"imagenet32: test labels lie in {label}..{label} as stored; allowed: 1..1000")
