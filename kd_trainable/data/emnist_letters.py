"""EMNIST letters (Cohen et al. 2017, arXiv:1702.05373): 124,800 and 20,800 grey letters of 28 x 28, upper and lower
case together, in 26 classes; from the idx files or from emnist-letters.mat, with the same arrays from both."""

from __future__ import annotations

import gzip
import string
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torchvision
from jaxtyping import UInt8
from torchvision.datasets import EMNIST
from torchvision.datasets.utils import download_url

from kd_trainable.data.files import Published, files_of
from kd_trainable.data.idx import Arrays, read_all
from kd_trainable.data.images import ImageData, from_one, normalizations
from kd_trainable.vocabulary import InputError

_MAT = "emnist-letters.mat"
_MD5S = {  # of the unpacked files; torchvision knows only that of the archive of all of EMNIST
    "emnist-letters-train-images-idx3-ubyte": "6b7a6cdb4e8ae8838780bb5aeda8ab2a",
    "emnist-letters-train-labels-idx1-ubyte": "49ecae16ee4c7ab14dcf3e8d8c39090b",
    "emnist-letters-test-images-idx3-ubyte": "811ee95d607652077616dbaaea581e1d",
    "emnist-letters-test-labels-idx1-ubyte": "dd1687ca8200da91c0dfd6321518806d",
}


def emnist_letters(data_dir: str | Path | None = None, download: bool = True) -> ImageData:
    """The letters, upright, 1 x 28 x 28; published labels 1..26 become 0..25.

    ``data_dir`` is only read: the folder of emnist-letters.mat, or one that holds EMNIST/raw or gzip or is that, with
    the four idx files, gzipped or not. Without it the data lies in ``$XDG_CACHE_HOME/kd_trainable/emnist_letters``
    (default ``~/.cache``), and is downloaded to it (all of EMNIST, 562 MB; 114 MB are kept) where
    ``download`` allows. Raises InputError where data is missing or damaged, and where there is no network.
    """
    files = Published(
        "emnist_letters",
        "EMNIST letters",
        EMNIST.url,
        "EMNIST/raw",
        _MD5S,
        _fetch,
        also=("gzip",),
        gzipped=True,
        otherwise=_MAT,
    )
    mat = _mat(data_dir)
    images, labels, test_images, test_labels = read_mat(mat) if mat else read_all(files_of(files, data_dir, download))
    images, test_images = _upright(images), _upright(test_images)
    return ImageData(
        name="emnist_letters",
        train_images=images,
        train_labels=from_one(labels, 26, "emnist_letters: train"),
        test_images=test_images,
        test_labels=from_one(test_labels, 26, "emnist_letters: test"),
        classes=tuple(string.ascii_lowercase),
        normalizations=normalizations("emnist_letters", images),
        provenance={"source": str(mat or EMNIST.url), "torchvision": torchvision.__version__},
    )


def _upright(images: UInt8[np.ndarray, "N 1 28 28"]) -> UInt8[np.ndarray, "N 1 28 28"]:
    """EMNIST is stored as MATLAB stores a matrix, column by column, in the idx files too."""
    return np.ascontiguousarray(images.transpose(0, 1, 3, 2))


def _mat(data_dir: str | Path | None) -> Path | None:
    """The MATLAB file in ``data_dir``, or in the folder of its own archive, if there is one."""
    root = Path(data_dir or "").expanduser()
    paths = [root / _MAT, root / "matlab" / _MAT] if data_dir is not None else []
    return next((path for path in paths if path.exists()), None)


def read_mat(path: Path) -> Arrays:
    """Images, as stored, and labels 1..26 of the MATLAB file. Raises InputError for what it lacks."""
    from scipy.io import loadmat

    try:
        # Unverified, since load() compares what comes of it with the pinned fingerprint.
        root = loadmat(path, simplify_cells=True, verify_compressed_data_integrity=False)
    except Exception as error:  # scipy raises many kinds, for files cut short and for files of another format
        raise InputError(f"data_dir: {path} cannot be read as a MATLAB file ({' '.join(str(error).split())})") from None
    found = []
    for part in ("train", "test"):
        images, labels = (np.asarray(_field(path, root, "dataset", part, name)) for name in ("images", "labels"))
        if images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != 784 or labels.dtype.kind not in "iu":
            kinds = f"{images.dtype} {images.shape} and {labels.dtype}"
            raise InputError(f"data_dir: {path}: {part} has {kinds}; must be uint8 [N, 784] and whole numbers")
        found += [images.reshape(-1, 1, 28, 28), labels.reshape(-1).astype(np.int64)]
    return found[0], found[1], found[2], found[3]


def _field(path: Path, root: Any, *names: str) -> Any:
    """What lies at ``names`` in the structs of a MATLAB file."""
    for depth, name in enumerate(names):
        has = [key for key in root if not key.startswith("__")] if isinstance(root, dict) else []
        if name not in has:
            where = ".".join(names[:depth]) or "it"
            raise InputError(
                f"data_dir: {path} has no field {'.'.join(names[: depth + 1])}; {where} has {', '.join(has) or 'none'}"
            )
        root = root[name]
    return root


def _fetch(folder: Path) -> None:
    """Only the letters are unpacked: all of EMNIST would be 2 GB."""
    download_url(EMNIST.url, str(folder), filename="gzip.zip", md5=EMNIST.md5)
    raw = folder / "EMNIST" / "raw"
    raw.mkdir(parents=True)
    with zipfile.ZipFile(folder / "gzip.zip") as archive:
        for name in _MD5S:
            (raw / name).write_bytes(gzip.decompress(archive.read(f"gzip/{name}.gz")))
