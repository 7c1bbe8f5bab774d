"""A person's own pictures, by folder and by list: read as they are, or refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_data import Change, bytes_of, one_line, picture, put, same_arrays

from kd_trainable.data.load import load
from kd_trainable.vocabulary import InputError


def folders(root: Path, *shape: int) -> Path:
    """Two classes, two training images and one test image each, and what is no picture beside them."""
    for seed, name in enumerate(
        ["train/cat/a", "train/cat/b", "train/dog/a", "train/dog/b", "test/cat/a", "test/dog/a"]
    ):
        picture(root / f"{name}.png", bytes_of(seed, *shape))
    (root / "train" / "cat" / "notes.txt").write_text("none")
    (root / "train" / ".hidden").mkdir()
    return root


def lists(root: Path) -> Path:
    """The same six grey images, in the order of a list."""
    folders(root, 8, 6)
    (root / "train.txt").write_text("train/dog/b.png 1\ntrain/cat/a.png 0\n\ntrain/cat/my b.png 0\n")
    (root / "train" / "cat" / "b.png").rename(root / "train" / "cat" / "my b.png")
    (root / "test.txt").write_text("test/dog/a.png\t1\r\n")
    return root


def test_a_folder_for_each_class_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    data = load("folder", folders(tmp_path, 8, 6, 3))
    assert data.shape == (3, 8, 6)
    assert data.classes == ("cat", "dog")
    assert data.train_labels.tolist() == [0, 0, 1, 1]
    assert data.test_labels.tolist() == [0, 1]
    assert (data.train_images == np.stack([bytes_of(k, 8, 6, 3) for k in range(4)]).transpose(0, 3, 1, 2)).all()
    assert (data.test_images[1] == bytes_of(5, 8, 6, 3).transpose(2, 0, 1)).all()
    mean, std = data.normalizations["dataset"]
    assert mean == pytest.approx(data.train_images.mean((0, 2, 3)) / 255, abs=5.1e-5)
    assert std == pytest.approx(data.train_images.std((0, 2, 3)) / 255, abs=5.1e-5)


def test_grey_images_have_one_channel_if_all_are_grey(tmp_path: Path) -> None:
    grey = load("folder", folders(tmp_path / "grey", 8, 6))
    assert grey.shape == (1, 8, 6)
    assert (grey.train_images[3, 0] == bytes_of(3, 8, 6)).all()
    folders(tmp_path / "mixed", 8, 6)
    picture(tmp_path / "mixed" / "test" / "dog" / "a.png", bytes_of(5, 8, 6, 3))
    mixed = load("folder", tmp_path / "mixed")
    assert mixed.shape == (3, 8, 6)
    assert (mixed.train_images == grey.train_images.repeat(3, axis=1)).all()


def test_val_serves_as_the_test(tmp_path: Path) -> None:
    expected = load("folder", folders(tmp_path, 8, 6))
    (tmp_path / "test").rename(tmp_path / "val")
    assert same_arrays(load("folder", tmp_path), expected)


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA"])
def test_pictures_of_other_modes_are_read(tmp_path: Path, mode: str) -> None:
    root = folders(tmp_path, 8, 6)
    original = Image.fromarray(bytes_of(0, 8, 6, 3)).convert(mode)
    if mode == "P":
        original.info["transparency"] = bytes([0, 128])
    original.save(root / "train" / "cat" / "a.png")
    data = load("folder", root)
    assert data.shape[0] == (1 if mode in ("1", "LA") else 3)
    expected = np.asarray(original.convert("RGBA").convert("RGB")).transpose(2, 0, 1)
    assert (data.train_images[0] == expected[: data.shape[0]]).all()


def test_folder32_scales_the_shorter_side_and_takes_the_middle(tmp_path: Path) -> None:
    folders(tmp_path, 8, 6, 3)
    wide = np.zeros((64, 256, 3), np.uint8)
    wide[:, 96:160] = (200, 100, 50)  # the square in the middle
    picture(tmp_path / "train" / "cat" / "a.png", wide)
    data = load("folder32", tmp_path)
    assert data.shape == (3, 32, 32)
    inner = data.train_images[0][:, :, 1:-1]  # the outermost column is blended
    assert (inner == np.array([200, 100, 50]).reshape(3, 1, 1)).all()
    assert load("folder64", tmp_path).shape == (3, 64, 64)


def test_a_list_gives_order_and_labels(tmp_path: Path) -> None:
    data = load("image_list", lists(tmp_path))
    assert (data.train_images[:, 0] == np.stack([bytes_of(k, 8, 6) for k in (3, 0, 1)])).all()
    assert data.train_labels.tolist() == [1, 0, 0]
    assert data.test_labels.tolist() == [1]
    assert data.classes == ("0", "1")
    assert load("image_list32", tmp_path).shape == (1, 32, 32)
    assert load("image_list64", tmp_path).shape == (1, 64, 64)


def emptied(name: str) -> Change:
    return lambda root: [path.unlink() for path in (root / name).iterdir()]


def sized(name: str, *shape: int) -> Change:
    return lambda root: picture(root / name, bytes_of(0, *shape))


def cut_short(root: Path) -> None:
    path = root / "train/dog/b.png"
    path.write_bytes(path.read_bytes()[:60])


def sixteen_bits(root: Path) -> None:
    Image.fromarray(np.zeros((8, 6), np.uint16)).save(root / "test/cat/a.png")


BAD_FOLDERS: list[tuple[Change, list[str]]] = [
    (lambda root: (root / "train").rename(root / "training"), ["/train is not there", "DIR/train/CLASS"]),
    (lambda root: (root / "test").rename(root / "testing"), ["/test is not there"]),
    (emptied("train/dog"), ["/train/dog holds no images; allowed: .png, .jpg"]),
    (emptied("test/cat"), ["/test/cat holds no images"]),
    (lambda root: (root / "test/dog").rename(root / "test/fox"), ["class 'dog' is in", "/train and not in", "/test;"]),
    (lambda root: (root / "test/ant").mkdir(), ["class 'ant' is in", "/test and not in", "/train;"]),
    (put("train/dog/a.png", b"no picture"), ["/train/dog/a.png cannot be read as a picture (cannot identify"]),
    (cut_short, ["/train/dog/b.png cannot be read as a picture ("]),
    (sized("test/cat/a.png", 8, 65, 3), ["/test/cat/a.png is 65 x 8 pixels; allowed: up to 64 x 64", "folder32"]),
    (sized("train/dog/a.png", 6, 8, 3), ["/train/dog/a.png is 8 x 6 pixels; must be 6 x 8, as", "/train/cat/a.png is"]),
    (sixteen_bits, ["/test/cat/a.png has pixels of mode I;16; allowed: 8 bits a channel"]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), BAD_FOLDERS)
def test_what_is_wrong_with_a_folder_is_named(tmp_path: Path, change: Change, said: list[str]) -> None:
    change(folders(tmp_path, 8, 6, 3))
    with pytest.raises(InputError) as caught:
        load("folder", tmp_path)
    one_line(caught, "data_dir: ", *said)


def test_a_folder_without_classes_holds_no_images(tmp_path: Path) -> None:
    for name in ("train", "test"):
        picture(tmp_path / name / "a.png", bytes_of(0, 8, 6))
    with pytest.raises(InputError) as caught:
        load("folder", tmp_path)
    one_line(caught, "/train holds no images; must have a folder for each class")


@pytest.mark.parametrize("name", ["folder", "folder32", "image_list", "image_list64"])
def test_own_pictures_need_data_dir(name: str, tmp_path: Path) -> None:
    for given, said in [(None, "none given"), (tmp_path / "nowhere", "is not a folder")]:
        with pytest.raises(InputError) as caught:
            load(name, given)
        one_line(caught, "data_dir: ", said, "give --data-dir a folder DIR that holds")


BAD_LISTS: list[tuple[Change, list[str]]] = [
    (lambda root: (root / "train.txt").unlink(), ["/train.txt is not there", "'path label'"]),
    (put("test.txt", "\n \n"), ["/test.txt names no images"]),
    (put("test.txt", b"a.png \xff\n"), ["/test.txt cannot be read as text"]),
    (put("train.txt", "train/cat/a.png 0\n\nnone.png 1"), ["/train.txt, line 3: ", "/none.png is not there"]),
    (put("train.txt", "train/cat/a.png"), ["/train.txt, line 1: 'train/cat/a.png' has no label"]),
    (put("train.txt", "train/cat/a.png cat"), ["line 1: label 'cat' is not allowed; must be a whole number >= 0"]),
    (put("train.txt", "train/cat/a.png 1.0"), ["line 1: label '1.0' is not allowed"]),
    (put("train.txt", "train/cat/a.png -1"), ["line 1: label '-1' is not allowed"]),
    (put("train.txt", "train/cat/a.png 0\ntrain/dog/a.png 2"), ["/train.txt has label 2 and no label 1; must be"]),
    (put("test.txt", "test/cat/a.png 2"), ["/test.txt has label 2; allowed: 0..1, as train.txt"]),
    (sized("test/dog/a.png", 6, 8), ["/test/dog/a.png is 8 x 6 pixels; must be 6 x 8"]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), BAD_LISTS)
def test_what_is_wrong_with_a_list_is_named(tmp_path: Path, change: Change, said: list[str]) -> None:
    change(lists(tmp_path))
    with pytest.raises(InputError) as caught:
        load("image_list", tmp_path)
    one_line(caught, "data_dir: ", *said)
