"""Tiny ImageNet: read from its unpacked archive, which is downloaded once."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_data import Change, bytes_of, md5, one_line, picture, put, refusing, same_arrays, serving

from kd_trainable.data import tiny_imagenet as tiny
from kd_trainable.data.load import load
from kd_trainable.vocabulary import InputError


def tree(root: Path) -> Path:
    """Tiny ImageNet in two classes; its second training image is grey, as some of the published ones are."""
    for seed, (wnid, k) in enumerate([("n02", 0), ("n01", 0), ("n01", 1)]):
        pixels = bytes_of(seed, 64, 64) if seed == 1 else bytes_of(seed, 64, 64, 3)
        picture(root / "train" / wnid / "images" / f"{wnid}_{k}.JPEG", pixels)
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text("")
    for k in range(2):
        picture(root / "val" / "images" / f"val_{k}.JPEG", bytes_of(10 + k, 64, 64, 3))
        picture(root / "test" / "images" / f"test_{k}.JPEG", bytes_of(20 + k, 64, 64, 3))
    (root / "val" / "val_annotations.txt").write_text("val_1.JPEG\tn02\t0\t0\t63\t63\nval_0.JPEG\tn01\t1\t1\t2\t2\n")
    return root


def test_tiny_imagenet_is_tested_on_its_validation_images(tmp_path: Path) -> None:
    data = tiny.tiny_imagenet(tree(tmp_path / "tiny-imagenet-200").parent)
    assert data.classes == ("n01", "n02")
    assert data.train_labels.tolist() == [0, 0, 1]
    assert data.test_labels.tolist() == [1, 0]
    assert data.shape == (3, 64, 64)
    with Image.open(tmp_path / "tiny-imagenet-200/val/images/val_1.JPEG") as expected:
        assert (data.test_images[0] == np.asarray(expected).transpose(2, 0, 1)).all()
    assert same_arrays(tiny.tiny_imagenet(tmp_path / "tiny-imagenet-200"), data)
    with pytest.raises(InputError) as caught:
        load("tiny_imagenet", tmp_path)
    one_line(caught, "dataset: tiny_imagenet: classes: 2 loaded; must be 200")


def test_tiny_imagenet_is_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    root = tree(tmp_path / "tiny-imagenet-200")
    (tmp_path / "served").mkdir()
    archive = tmp_path / "served" / "tiny-imagenet-200.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for path in root.rglob("*"):
            made.write(path, path.relative_to(tmp_path))
    monkeypatch.setattr(tiny, "MD5", md5(archive.read_bytes()))
    with refusing() as address:
        monkeypatch.setattr(tiny, "URL", f"{address}{archive.name}")
        with pytest.raises(InputError) as caught:
            tiny.tiny_imagenet()
    one_line(caught, "dataset: tiny_imagenet: no download from", "Connection refused", "holds tiny-imagenet-200")
    with serving(archive.parent) as address:
        monkeypatch.setattr(tiny, "URL", f"{address}{archive.name}")
        data = tiny.tiny_imagenet()
    cache = tmp_path / "cache" / "kd_trainable" / "tiny_imagenet"
    assert {path.name for path in cache.glob("*/*")} == {"train", "val"}  # neither archive nor unlabelled images
    assert same_arrays(tiny.tiny_imagenet(download=False), data)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda root: (root / "val/val_annotations.txt").unlink(), "/val_annotations.txt cannot be read (No such file"),
        (put("val/val_annotations.txt", "val_0.JPEG\tn03\t0\n"), "line 1: 'val_0.JPEG\\tn03\\t0' names no class"),
        (put("val/val_annotations.txt", ""), "/val_annotations.txt names no images"),
        (lambda root: (root / "val/images/val_0.JPEG").unlink(), "/val_0.JPEG cannot be read as a picture"),
        (lambda root: (root / "train/n02/images").rename(root / "train/n02/other"), "/n02/images holds no images"),
    ],
)
def test_what_tiny_imagenet_lacks_is_named(tmp_path: Path, change: Change, said: str) -> None:
    change(tree(tmp_path))
    with pytest.raises(InputError) as caught:
        tiny.tiny_imagenet(tmp_path)
    one_line(caught, "data_dir: ", said)
