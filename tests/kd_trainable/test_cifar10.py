"""CIFAR-10 is read whole or refused, its pickles are never read unchecked, and a download cannot poison the cache."""

from __future__ import annotations

import hashlib
import http.server
import io
import pickle
import socket
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision.datasets.utils
from torchvision.datasets import CIFAR10

from kd_trainable.data import DATASETS
from kd_trainable.data.cifar10 import cifar10
from kd_trainable.data.images import ImageData
from kd_trainable.data.load import load
from kd_trainable.vocabulary import InputError


def one_line(caught: pytest.ExceptionInfo[InputError], *said: str) -> None:
    line = str(caught.value)
    assert "\n" not in line
    for words in said:
        assert words in line


def batch(seed: int) -> bytes:
    bits = np.random.default_rng(seed)
    labels = [seed % 10, 1, 9]
    return pickle.dumps({"data": bits.integers(0, 256, (3, 3072), dtype=np.uint8), "labels": labels})


class Toy:
    """Stands in for CIFAR-10's archive: three images a file, with md5s of its own, served on this machine."""

    def __init__(self, folder: Path) -> None:
        self.archive = folder / "served" / CIFAR10.filename
        self.cache = folder / "cache" / "kd_trainable" / "cifar10"
        self.data_dir = folder / "data"
        names = [name for name, _ in (*CIFAR10.train_list, *CIFAR10.test_list)]
        self.files = {name: batch(seed) for seed, name in enumerate(names)}
        self.files[CIFAR10.meta["filename"]] = pickle.dumps({"label_names": [f"class{k}" for k in range(10)]})
        self.batches = self.data_dir / CIFAR10.base_folder
        self.batches.mkdir(parents=True)
        for name, content in self.files.items():
            (self.batches / name).write_bytes(content)

    def md5(self, name: str) -> str:
        return hashlib.md5(self.files[name]).hexdigest()

    def pack(self) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            tar.add(self.batches, CIFAR10.base_folder)
        return buffer.getvalue()

    def is_whole(self, data: ImageData) -> bool:
        first = pickle.loads(self.files["data_batch_1"])["data"].reshape(3, 3, 32, 32)
        return bool((data.train_images[:3] == first).all()) and data.train_images.shape == (15, 3, 32, 32)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    toy = Toy(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(CIFAR10, "train_list", [[name, toy.md5(name)] for name, _ in CIFAR10.train_list])
    monkeypatch.setattr(CIFAR10, "test_list", [[name, toy.md5(name)] for name, _ in CIFAR10.test_list])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": toy.md5("batches.meta")})
    return toy


@pytest.fixture
def served(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    toy.archive.parent.mkdir()
    toy.archive.write_bytes(toy.pack())
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(toy.archive.read_bytes()).hexdigest())
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(toy.archive.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setattr(CIFAR10, "url", f"http://127.0.0.1:{server.server_port}/{toy.archive.name}")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield toy
        server.shutdown()


@pytest.mark.parametrize("inside", [False, True])
def test_data_dir_may_be_either_folder(toy: Toy, inside: bool) -> None:
    data = cifar10(toy.batches if inside else str(toy.data_dir))
    assert toy.is_whole(data)
    assert data.train_labels.tolist()[:6] == [0, 1, 9, 1, 1, 9]
    assert data.test_labels.tolist() == [5, 1, 9]
    assert data.classes[0] == "class0"
    assert data.provenance["data_batch_1"] == toy.md5("data_batch_1")
    assert not toy.cache.exists()


def test_other_pixels_than_the_tables_are_refused(toy: Toy) -> None:
    with pytest.raises(InputError) as caught:
        load("cifar10", data_dir=toy.data_dir)
    one_line(caught, "dataset: cifar10: ", cifar10(toy.data_dir).fingerprint(), DATASETS["cifar10"].fingerprint)


def test_missing_data_is_said(toy: Toy, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        cifar10(tmp_path / "nowhere")
    one_line(caught, "data_dir: ", "nowhere", "is not a folder")
    with pytest.raises(InputError) as caught:
        cifar10(tmp_path)
    one_line(caught, "holds no CIFAR-10", "cifar-10-batches-py")
    (toy.batches / "data_batch_4").unlink()
    with pytest.raises(InputError) as caught:
        cifar10(toy.data_dir)
    one_line(caught, "data_batch_4 cannot be read (No such file or directory)")
    with pytest.raises(InputError) as caught:
        cifar10(download=False)
    one_line(caught, str(toy.cache), "downloading was not allowed", "--data-dir")


class Trap:
    """A pickle that makes a folder when it is read."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> Any:
        return Path.mkdir, (self.sprung,)


def test_a_damaged_file_is_named_and_never_unpickled(toy: Toy, tmp_path: Path) -> None:
    (toy.batches / "data_batch_3").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(InputError) as caught:
        cifar10(toy.data_dir)
    one_line(caught, "data_batch_3 is damaged", toy.md5("data_batch_3"))
    assert not (tmp_path / "sprung").exists()


def test_download_fills_the_cache_once(served: Toy) -> None:
    assert served.is_whole(cifar10())
    assert [path.name for path in served.cache.iterdir()] == [CIFAR10.base_folder]  # no archive is left behind
    served.archive.unlink()
    assert served.is_whole(cifar10(download=False))


def test_a_damaged_cache_is_mended(served: Toy) -> None:
    cifar10()
    (served.cache / CIFAR10.base_folder / "test_batch").write_bytes(b"half")
    assert served.is_whole(cifar10())


def test_a_cut_download_does_not_poison_the_next(served: Toy) -> None:
    whole = served.archive.read_bytes()
    served.archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError) as caught:
        cifar10()
    one_line(caught, "no download from http://127.0.0.1", "corrupted", "--data-dir")
    assert list(served.cache.iterdir()) == []
    served.archive.write_bytes(whole)
    assert served.is_whole(cifar10())


def test_an_interrupted_download_leaves_nothing(served: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(url: str, filename: str) -> None:
        Path(filename).write_bytes(b"the first half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torchvision.datasets.utils, "_urlretrieve", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cifar10()
    assert list(served.cache.iterdir()) == []


@pytest.mark.usefixtures("toy")
def test_no_network_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as bound:  # bound and not listening: every connection is refused
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setattr(CIFAR10, "url", f"http://127.0.0.1:{bound.getsockname()[1]}/cifar.tar.gz")
        with pytest.raises(InputError) as caught:
            cifar10()
    one_line(caught, "dataset: cifar10: no download", "Connection refused", "without a network", "--data-dir")
