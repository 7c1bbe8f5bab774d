"""EMNIST letters: the same upright letters, and so the same fingerprint, from the idx files and from MATLAB's."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat
from torchvision.datasets import EMNIST
from toy_data import bytes_of, gz, idx, md5, one_line, same_arrays, serving

from kd_trainable.data import DATASETS, emnist_letters
from kd_trainable.data.load import load
from kd_trainable.vocabulary import InputError

read = emnist_letters.emnist_letters
UPRIGHT = {"train": bytes_of(0, 5, 28, 28), "test": bytes_of(1, 3, 28, 28)}
LABELS = {"train": np.array([23, 7, 16, 1, 26], np.uint8), "test": np.array([1, 1, 26], np.uint8)}


def stored(part: str) -> Any:
    """Column by column, as EMNIST is."""
    return UPRIGHT[part].transpose(0, 2, 1)


def files(labels: dict[str, np.ndarray] = LABELS) -> dict[str, bytes]:
    found = {}
    for part in ("train", "test"):
        found[f"emnist-letters-{part}-images-idx3-ubyte"] = idx(stored(part))
        found[f"emnist-letters-{part}-labels-idx1-ubyte"] = idx(labels[part])
    return found


def matlab(labels: dict[str, np.ndarray] = LABELS) -> dict[str, Any]:
    """MATLAB's file, with fields that nobody reads, as in the published one."""
    dataset: dict[str, Any] = {"mapping": np.zeros((26, 3), np.uint8)}
    for part in ("train", "test"):
        images = np.asfortranarray(stored(part).reshape(-1, 784))
        writers = np.arange(len(images), dtype=np.float64)[:, None]
        dataset[part] = {"images": images, "labels": labels[part][:, None], "writers": writers}
    return {"dataset": dataset}


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(emnist_letters, "_MD5S", {name: md5(content) for name, content in files().items()})


def written(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def test_every_published_form_gives_the_same_upright_letters(tmp_path: Path) -> None:
    raw = read(written(tmp_path / "EMNIST" / "raw", files()).parent.parent)
    for part, images in (("train", raw.train_images), ("test", raw.test_images)):
        assert (images[:, 0] == UPRIGHT[part]).all()
    assert raw.train_labels.tolist() == [22, 6, 15, 0, 25]
    assert "".join(raw.classes[k] for k in raw.train_labels) == "wgpaz"
    zipped = written(tmp_path / "z" / "gzip", {f"{name}.gz": gz(content) for name, content in files().items()})
    (tmp_path / "m" / "matlab").mkdir(parents=True)
    savemat(tmp_path / "m" / "matlab" / "emnist-letters.mat", matlab(), do_compression=True)
    for folder in (zipped, zipped.parent, tmp_path / "m", tmp_path / "m" / "matlab"):
        assert same_arrays(read(folder), raw)


def test_other_letters_than_the_pinned_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "raw", files())
    with pytest.raises(InputError) as caught:
        load("emnist_letters", tmp_path / "raw")
    one_line(caught, "dataset: emnist_letters: ", DATASETS["emnist_letters"].fingerprint)


@pytest.mark.parametrize("labels", [np.array([0, 1, 26], np.uint8), np.array([1, 27, 2], np.uint8)])
def test_labels_outside_the_alphabet_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: np.ndarray
) -> None:
    wrong = {**LABELS, "test": labels}
    monkeypatch.setattr(emnist_letters, "_MD5S", dict.fromkeys(files(), ""))
    written(tmp_path / "raw", files(wrong))
    savemat(tmp_path / "emnist-letters.mat", matlab(wrong))
    for folder in (tmp_path / "raw", tmp_path):
        with pytest.raises(InputError) as caught:
            read(folder)
        one_line(caught, f"emnist_letters: test labels lie in {labels.min()}..{labels.max()} as stored", "1..26")


def without(*names: str) -> Callable[[dict[str, Any]], None]:
    def change(contents: dict[str, Any]) -> None:
        for name in names[:-1]:
            contents = contents[name]
        del contents[names[-1]]

    return change


def widened(contents: dict[str, Any]) -> None:
    contents["dataset"]["test"]["images"] = np.zeros((3, 1024), np.uint8)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda contents: contents.update(dataset=3), "has no field dataset.train; dataset has none"),
        (without("dataset", "test"), "has no field dataset.test; dataset has mapping, train"),
        (
            without("dataset", "train", "labels"),
            "has no field dataset.train.labels; dataset.train has images, writers",
        ),
        (widened, "test has uint8 (3, 1024) and uint8; must be uint8 [N, 784] and whole numbers"),
    ],
)
def test_a_matlab_file_without_its_fields_says_what_it_has(tmp_path: Path, change: Any, said: str) -> None:
    contents = matlab()
    change(contents)
    savemat(tmp_path / "emnist-letters.mat", contents)
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    one_line(caught, "emnist-letters.mat", said)


@pytest.mark.parametrize("content", [b"", b"this is no MATLAB file " * 20])
def test_what_is_no_matlab_file_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "emnist-letters.mat").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    one_line(caught, "data_dir: ", "emnist-letters.mat cannot be read as a MATLAB file (")


def test_a_matlab_file_cut_short_is_said(tmp_path: Path) -> None:
    path = tmp_path / "emnist-letters.mat"
    savemat(path, matlab(), do_compression=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    one_line(caught, "emnist-letters.mat cannot be read as a MATLAB file (")


def test_missing_data_names_both_forms(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    one_line(caught, "holds no EMNIST letters; give --data-dir a folder that holds EMNIST/raw or emnist-letters.mat")


def test_download_keeps_the_letters_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "served").mkdir()
    with zipfile.ZipFile(tmp_path / "served" / "gzip.zip", "w") as archive:
        for name, content in files().items():
            archive.writestr(f"gzip/{name}.gz", gz(content))
        archive.writestr("gzip/emnist-digits-train-images-idx3-ubyte.gz", b"")
    monkeypatch.setattr(EMNIST, "md5", md5((tmp_path / "served" / "gzip.zip").read_bytes()))
    with serving(tmp_path / "served") as address:
        monkeypatch.setattr(EMNIST, "url", f"{address}gzip.zip")
        data = read()
    cache = tmp_path / "cache" / "kd_trainable" / "emnist_letters"
    assert {path.name for path in cache.rglob("*") if path.is_file()} == {*files()}
    assert same_arrays(read(download=False), data)
    (cache / "EMNIST" / "raw" / "emnist-letters-test-labels-idx1-ubyte").write_bytes(b"half")
    with pytest.raises(InputError) as caught:
        read(download=False)
    one_line(caught, "emnist-letters-test-labels-idx1-ubyte is damaged", "downloading was not allowed")
