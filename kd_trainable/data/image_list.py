"""A person's own pictures by list: DIR/train.txt and DIR/test.txt, with a line ``path label`` for each."""

from __future__ import annotations

import re
from pathlib import Path

from kd_trainable.data.files import given_folder
from kd_trainable.data.folders import Labelled, labelled_data
from kd_trainable.data.images import ImageData
from kd_trainable.vocabulary import InputError

_ADVICE = "give --data-dir a folder DIR that holds train.txt and test.txt, with a line 'path label' for each image"


def image_list(data_dir: str | Path | None = None) -> ImageData:
    """The pictures as they are, all of one size, at most 64 x 64; one channel if all are grey, else RGB.

    Paths are relative to DIR and may hold spaces; labels are whole numbers 0..K-1, each of which the training images
    have; empty lines are passed over. Raises InputError, in one line, for what is missing, differs or cannot be read.
    """
    return _read("image_list", data_dir, 0)


def image_list32(data_dir: str | Path | None = None) -> ImageData:
    """The pictures of any size: the shorter side scaled to 32 pixels, and the square in the middle."""
    return _read("image_list32", data_dir, 32)


def image_list64(data_dir: str | Path | None = None) -> ImageData:
    """The pictures of any size: the shorter side scaled to 64 pixels, and the square in the middle."""
    return _read("image_list64", data_dir, 64)


def _read(name: str, data_dir: str | Path | None, side: int) -> ImageData:
    root = given_folder(data_dir, _ADVICE)
    train, test = (_lines(root, part) for part in ("train.txt", "test.txt"))
    known = sorted({label for _, label in train})
    gap = next((k for k, label in enumerate(known) if k != label), None)
    if gap is not None:
        raise InputError(f"data_dir: {root / 'train.txt'} has label {known[gap]} and no label {gap}; must be 0..K-1")
    if unknown := {label for _, label in test} - {*known}:
        raise InputError(
            f"data_dir: {root / 'test.txt'} has label {min(unknown)}; allowed: 0..{known[-1]}, as train.txt"
        )
    return labelled_data(name, root, train, test, tuple(map(str, known)), side)


def _lines(root: Path, part: str) -> Labelled:
    """The images of a list with their labels. Raises InputError with the number of the first line that is wrong."""
    try:
        text = (root / part).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"data_dir: {root / part} is not there; {_ADVICE}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"data_dir: {root / part} cannot be read as text ({error})") from None
    found = [
        _line(root, f"{root / part}, line {n}", line) for n, line in enumerate(text.splitlines(), 1) if line.strip()
    ]
    if not found:
        raise InputError(f"data_dir: {root / part} names no images; {_ADVICE}")
    return found


def _line(root: Path, where: str, line: str) -> tuple[Path, int]:
    words = line.rsplit(maxsplit=1)
    if len(words) < 2:
        raise InputError(f"data_dir: {where}: {words[0]!r} has no label; a line is 'path label'")
    path, label = root / words[0].strip(), words[1]
    if not re.fullmatch("[0-9]{1,9}", label):
        raise InputError(f"data_dir: {where}: label {label!r} is not allowed; must be a whole number >= 0")
    if not path.is_file():
        raise InputError(f"data_dir: {where}: {path} is not there")
    return path, int(label)
