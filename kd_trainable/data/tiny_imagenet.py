"""Tiny ImageNet (Stanford CS231n): 100,000 and 10,000 colour images of 64 x 64 in 200 classes of ImageNet."""

from __future__ import annotations

import zipfile
from pathlib import Path

from torchvision.datasets.utils import download_url

from kd_trainable.data.files import Published, files_of
from kd_trainable.data.folders import Labelled, class_folders, labelled_data, pictures_in
from kd_trainable.data.images import ImageData
from kd_trainable.vocabulary import InputError

URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
MD5 = "90528d7ca1a48142e341f4ef8d21d0de"  # as in avalanche and many others; torchvision does not offer this data set
_ZIP, _FOLDER = "tiny-imagenet-200.zip", "tiny-imagenet-200"


def tiny_imagenet(data_dir: str | Path | None = None, download: bool = True) -> ImageData:
    """Tiny ImageNet; its validation images are the test here, since its own test images have no labels.

    Classes are in the order of their WordNet ids, as torchvision's ImageFolder has them. 1.4 GB of memory.

    ``data_dir`` holds tiny-imagenet-200 (the archive unpacked), or is that folder, and is only read. Without it the
    data lies in ``$XDG_CACHE_HOME/kd_trainable/tiny_imagenet`` (default ``~/.cache``), and is downloaded to it (248
    MB) where ``download`` allows. Raises InputError where data is missing or damaged, and where there is no network.
    """
    files = Published("tiny_imagenet", "Tiny ImageNet", URL, _FOLDER, {"train": "", "val": ""}, _fetch)
    folder, _ = files_of(files, data_dir, download)
    classes = class_folders(folder / "train")
    train = [(path, k) for k, name in enumerate(classes) for path in pictures_in(folder / "train" / name / "images")]
    return labelled_data("tiny_imagenet", folder, train, _annotated(folder / "val", classes), tuple(classes), 0)


def _annotated(val: Path, classes: list[str]) -> Labelled:
    """The images of val_annotations.txt: name, class and a box on each line, between tabs."""
    path = val / "val_annotations.txt"
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise InputError(f"data_dir: {path} cannot be read ({error.strerror})") from None
    labels = {name: k for k, name in enumerate(classes)}
    found = []
    for number, line in enumerate(lines, 1):
        name, _, rest = line.partition("\t")
        if (label := labels.get(rest.split("\t")[0])) is None:
            raise InputError(f"data_dir: {path}, line {number}: {line!r} names no class that has training images")
        found.append((val / "images" / name, label))
    if not found:
        raise InputError(f"data_dir: {path} names no images")
    return found


def _fetch(folder: Path) -> None:
    """The test images, which have no labels, stay in the archive."""
    download_url(URL, str(folder), filename=_ZIP, md5=MD5)
    with zipfile.ZipFile(folder / _ZIP) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if not name.startswith(f"{_FOLDER}/test/")])
