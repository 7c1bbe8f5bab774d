"""From a data set's name to its arrays."""

from __future__ import annotations

from pathlib import Path

from kd_trainable.data import DATASETS
from kd_trainable.data.images import ImageData
from kd_trainable.resolve import accepted, require_returned, resolve
from kd_trainable.vocabulary import InputError

_KIND = "a callable that returns an ImageData"


def load(name: str, data_dir: str | Path | None = None, download: bool = True) -> ImageData:
    """The data set ``name``: a line of the table or anyone's own ``package.module:callable``.

    ``data_dir`` is a folder that holds the data already; without it the data set uses its cache folder, and
    ``download`` says whether it may fill that. A loader is given whichever of the two keywords it accepts.
    Raises InputError, in one line, for a name that leads nowhere, for data that is not there, and where the
    arrays of a data set of the table are not the ones that the table pins, or not as many as it states.
    """
    loader = resolve("dataset", name, DATASETS, _KIND)
    data = loader(**accepted("dataset", name, loader, {"data_dir": data_dir, "download": download}, _KIND))
    require_returned("dataset", name, data, ImageData, _KIND)
    if name in DATASETS:
        (_require_pinned if DATASETS[name].fingerprint else _require_stated)(name, data)
    return data


def _require_pinned(name: str, data: ImageData) -> None:
    """A plan names its runs by the pinned fingerprint, so other pixels would file results under a false name."""
    found, pinned = data.fingerprint(), DATASETS[name].fingerprint
    if found != pinned:
        raise InputError(f"dataset: {name}: the loaded arrays have fingerprint {found}; allowed: {pinned}")


def _require_stated(name: str, data: ImageData) -> None:
    """What the table states of a data set, a plan counts on before it is loaded."""
    entry = DATASETS[name]
    for what, stated, found in (
        ("images of (C, H, W)", entry.shape, data.shape),
        ("classes", entry.classes, len(data.classes)),
        ("training images", entry.train_images, len(data.train_images)),
        ("test images", entry.test_images, len(data.test_images)),
    ):
        if stated not in (0, (0, 0, 0), found):
            raise InputError(f"dataset: {name}: {what}: {found} loaded; must be {stated}")
