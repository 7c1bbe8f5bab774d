"""Downsampled ImageNet (Chrabaszcz et al. 2017, arXiv:1707.08819): all of ILSVRC 2012 at 32 x 32, in 1,000 classes."""

from __future__ import annotations

from pathlib import Path

from kd_trainable.data.batches import joined, read_batch
from kd_trainable.data.files import given_folder
from kd_trainable.data.images import ImageData, from_one, normalizations
from kd_trainable.vocabulary import InputError

_TRAIN = [f"train_data_batch_{k}" for k in range(1, 11)]
_TEST = "val_data"
_FOLDERS = ("", "Imagenet32_train", "Imagenet32_val", "Imagenet32_train_npz", "Imagenet32_val_npz")
_ADVICE = (
    "imagenet32 is not downloaded, since image-net.org asks for a login; give --data-dir a folder that holds "
    "train_data_batch_1 to 10 and val_data, or the same as .npz"
)


def imagenet32(data_dir: str | Path | None = None) -> ImageData:
    """1,281,167 training images and the 50,000 validation images, which are the test here; colour, 32 x 32.

    They take 4.1 GB of memory, and 0.4 GB more while they are read. ``data_dir`` holds the files of
    image-net.org's Imagenet32_train and Imagenet32_val, or these folders: pickles, of which nothing but arrays is
    read, or npz. Published labels 1..1000, in an order of classes of their own, become 0..999; a class is called by
    its published number. Raises InputError, in one line, for what is missing or damaged.
    """
    root = given_folder(data_dir, _ADVICE)
    *batches, validation = [_path(root, name) for name in (*_TRAIN, _TEST)]
    test, train = read_batch(validation), joined([read_batch(path) for path in batches])
    return ImageData(
        name="imagenet32",
        train_images=train[0],
        train_labels=from_one(train[1], 1000, "imagenet32: train"),
        test_images=test[0],
        test_labels=from_one(test[1], 1000, "imagenet32: test"),
        classes=tuple(str(k) for k in range(1, 1001)),
        normalizations=normalizations("imagenet32", train[0]),
        provenance={"source": str(root)},
    )


def _path(root: Path, name: str) -> Path:
    paths = [root / folder / file for folder in _FOLDERS for file in (name, f"{name}.npz")]
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise InputError(f"data_dir: {str(root)!r} has no {name}; {_ADVICE}")
    return found
