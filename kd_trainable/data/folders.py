"""A person's own pictures, a folder for each class: DIR/train/CLASS/*.png and DIR/test/CLASS/*.png."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kd_trainable.data.files import given_folder
from kd_trainable.data.images import ImageData, measured
from kd_trainable.data.pictures import SUFFIXES, is_picture, read_pictures
from kd_trainable.vocabulary import InputError

Labelled = list[tuple[Path, int]]

_ADVICE = "give --data-dir a folder DIR that holds DIR/train/CLASS/*.png and DIR/test/CLASS/*.png"


def folder(data_dir: str | Path | None = None) -> ImageData:
    """The pictures as they are, all of one size, at most 64 x 64; one channel if all are grey, else RGB.

    Classes are in the order of their folders' names; DIR/val serves as the test where there is no DIR/test. Raises
    InputError, in one line, for what is missing, differs or cannot be read.
    """
    return _read("folder", data_dir, 0)


def folder32(data_dir: str | Path | None = None) -> ImageData:
    """The pictures of any size: the shorter side scaled to 32 pixels, and the square in the middle."""
    return _read("folder32", data_dir, 32)


def folder64(data_dir: str | Path | None = None) -> ImageData:
    """The pictures of any size: the shorter side scaled to 64 pixels, and the square in the middle."""
    return _read("folder64", data_dir, 64)


def _read(name: str, data_dir: str | Path | None, side: int) -> ImageData:
    root = given_folder(data_dir, _ADVICE)
    test = next((root / part for part in ("test", "val") if (root / part).is_dir()), root / "test")
    parts = (root / "train", test)
    classes, other = (class_folders(part) for part in parts)
    if differing := sorted({*classes} ^ {*other}):
        there, missing = parts if differing[0] in classes else parts[::-1]
        raise InputError(f"data_dir: class {differing[0]!r} is in {there} and not in {missing}; must be in both")
    train, tested = ([(path, k) for k, c in enumerate(classes) for path in pictures_in(part / c)] for part in parts)
    return labelled_data(name, root, train, tested, tuple(classes), side)


def class_folders(split: Path) -> list[str]:
    """The names of the folders in ``split``, sorted. Raises InputError where there are none."""
    if not split.is_dir():
        raise InputError(f"data_dir: {split} is not there, or no folder; {_ADVICE}")
    found = sorted(path.name for path in split.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not found:
        raise InputError(f"data_dir: {split} holds no images; must have a folder for each class")
    return found


def pictures_in(path: Path) -> list[Path]:
    """The pictures in a class's folder, sorted by name. Raises InputError where there are none."""
    found = sorted(inner for inner in path.iterdir() if is_picture(inner)) if path.is_dir() else []
    if not found:
        raise InputError(f"data_dir: {path} holds no images; allowed: {', '.join(SUFFIXES)}")
    return found


def labelled_data(
    name: str, root: Path, train: Labelled, test: Labelled, classes: tuple[str, ...], side: int
) -> ImageData:
    """The data set of these files with these labels; its normalization is measured on the training images."""
    images = read_pictures([path for path, _ in (*train, *test)], side)
    labels = np.array([label for _, label in (*train, *test)], dtype=np.int64)
    at = len(train)
    return ImageData(
        name=name,
        train_images=images[:at],
        train_labels=labels[:at],
        test_images=images[at:],
        test_labels=labels[at:],
        classes=classes,
        normalizations={"dataset": measured(images[:at])},
        provenance={"source": str(root)},
    )
