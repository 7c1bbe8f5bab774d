"""MNIST and Fashion-MNIST: read from idx files gzipped or not, refused when damaged, downloaded once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import MNIST, FashionMNIST
from toy_data import bytes_of, gz, idx, md5, one_line, refusing, same_arrays, serving

from kd_trainable.data.fashion_mnist import fashion_mnist
from kd_trainable.data.idx import read_idx
from kd_trainable.data.load import load
from kd_trainable.data.mnist import mnist, mnist32
from kd_trainable.vocabulary import InputError

ARRAYS = {
    "train-images-idx3-ubyte": bytes_of(0, 6, 28, 28),
    "train-labels-idx1-ubyte": np.array([3, 0, 9, 1, 1, 2]),
    "t10k-images-idx3-ubyte": bytes_of(1, 2, 28, 28),
    "t10k-labels-idx1-ubyte": np.array([9, 4]),
}
FILES = {f"{name}.gz": gz(idx(array)) for name, array in ARRAYS.items()}


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for official in (MNIST, FashionMNIST):
        monkeypatch.setattr(official, "resources", [(name, md5(content)) for name, content in FILES.items()])


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    """A data_dir as torchvision leaves it, less the unpacked files."""
    return written(tmp_path / "zipped" / "MNIST" / "raw", FILES).parent.parent


def written(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_gzipped_and_unpacked_files_give_the_same_images(zipped: Path, tmp_path: Path) -> None:
    data = mnist(zipped)
    assert (data.train_images[:, 0] == ARRAYS["train-images-idx3-ubyte"]).all()
    assert data.train_labels.tolist() == [3, 0, 9, 1, 1, 2]
    assert data.test_labels.tolist() == [9, 4]
    assert data.shape == (1, 28, 28)
    assert data.classes[0] == "0 - zero"
    assert data.provenance["t10k-labels-idx1-ubyte.gz"] == md5(FILES["t10k-labels-idx1-ubyte.gz"])
    raw = mnist(written(tmp_path / "raw", {name: idx(array) for name, array in ARRAYS.items()}))
    assert same_arrays(raw, data)
    assert set(raw.provenance) == {"source", "torchvision"}  # no md5 is claimed that was not compared
    assert not (tmp_path / "cache").exists()


def test_mnist32_is_padded_not_resized(zipped: Path) -> None:
    plain, wide = mnist(zipped), mnist32(zipped)
    assert wide.shape == (3, 32, 32)
    assert wide.name == "mnist32"
    for channel in range(3):
        assert (wide.train_images[:, channel, 2:30, 2:30] == plain.train_images[:, 0]).all()
    assert wide.test_images.sum() == 3 * plain.test_images.astype(np.int64).sum()  # all around it is 0
    mean, std = wide.normalizations["dataset"]
    assert mean == pytest.approx([wide.train_images.mean() / 255] * 3, abs=5e-5)
    assert std == pytest.approx([wide.train_images.std() / 255] * 3, abs=5e-5)


def test_fashion_mnist_has_names_of_its_own(tmp_path: Path) -> None:
    data = fashion_mnist(written(tmp_path / "FashionMNIST" / "raw", FILES).parent.parent)
    assert (data.name, data.classes[9]) == ("fashion_mnist", "Ankle boot")


def test_fewer_images_than_published_are_refused(zipped: Path) -> None:
    with pytest.raises(InputError) as caught:
        load("mnist", zipped)
    one_line(caught, "dataset: mnist: training images: 6 loaded; must be 60000")


def test_damaged_and_missing_files_are_named(zipped: Path, tmp_path: Path) -> None:
    path = zipped / "MNIST" / "raw" / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError) as caught:
        mnist(zipped)
    one_line(caught, "t10k-images-idx3-ubyte.gz is damaged: its md5 is", md5(FILES[path.name]), "--data-dir")
    path.unlink()
    with pytest.raises(InputError) as caught:
        mnist(zipped)
    one_line(caught, "t10k-images-idx3-ubyte.gz cannot be read (No such file or directory)")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        mnist(tmp_path / "empty")
    one_line(caught, "data_dir: ", "holds no MNIST", "MNIST/raw")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a", b"", "is no idx file of unsigned bytes"),
        ("a", b"\x00\x00\x0d\x01\x00\x00\x00\x00", "is no idx file of unsigned bytes"),  # 0x0d: floats
        ("a", b"\x00\x00\x08\x03\x00\x00", "is no idx file of unsigned bytes"),
        ("a", idx(bytes_of(0, 2, 3))[:-1], "holds 5 bytes; must be 6, as it says itself"),
        ("a.gz", b"not gzipped", "a.gz cannot be read (Not a gzipped file"),
        ("a.gz", gz(b"cut short" * 100)[:-10], "a.gz cannot be read ("),
    ],
)
def test_what_is_no_idx_file_is_said(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_idx(tmp_path / name)
    one_line(caught, "data_dir: ", said)


def test_download_fills_the_cache_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = written(tmp_path / "served", FILES)
    with serving(served) as address, refusing() as silent:
        monkeypatch.setattr(MNIST, "mirrors", [silent, address])
        data = mnist()
    cache = tmp_path / "cache" / "kd_trainable" / "mnist"
    assert sorted(path.name for path in cache.rglob("*") if path.is_file()) == sorted(FILES)
    assert same_arrays(mnist(download=False), data)
    assert same_arrays(mnist32(download=False), mnist32(served))  # of the same cache


def test_no_network_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing() as address:
        monkeypatch.setattr(MNIST, "mirrors", [address])
        with pytest.raises(InputError) as caught:
            mnist()
    one_line(
        caught,
        "dataset: mnist: no download from http://127.0.0.1",
        "Connection refused",
        "without a network",
        "--data-dir",
    )
    with pytest.raises(InputError) as caught:
        mnist(download=False)
    one_line(caught, "train-images-idx3-ubyte.gz cannot be read", "downloading was not allowed")
