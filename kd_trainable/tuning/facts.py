"""What a plan must know of a data set: from the table where its images are pinned there, else by loading it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from kd_trainable.data import DATASETS
from kd_trainable.vocabulary import DatasetEntry, InputError

if TYPE_CHECKING:
    from kd_trainable.data.images import ImageData


@functools.cache
def facts(dataset: str, data_dir: str | None = None) -> DatasetEntry:
    """The table's entry if it has a fingerprint; else one made of the images themselves, which must then be there."""
    entry = DATASETS.get(dataset)
    if entry is not None and entry.fingerprint:
        return entry
    from kd_trainable.data.load import load

    return _learned(dataset, load(dataset, data_dir))


def _learned(dataset: str, data: ImageData) -> DatasetEntry:
    """The entry that the loaded images make."""
    return DatasetEntry(
        DATASETS[dataset].target if dataset in DATASETS else dataset,
        data.shape,
        len(data.classes),
        len(data.train_images),
        len(data.test_images),
        data.normalizations,
        data.fingerprint(),
    )


ABSENT = "not loaded"


def facts_without_download(dataset: str, data_dir: str | None = None) -> DatasetEntry:
    """``facts``, or the table's entry under the fingerprint ABSENT where only a download could tell the true one."""
    entry = DATASETS.get(dataset)
    from kd_trainable.data.load import load

    if entry is not None and entry.fingerprint and data_dir is not None:
        load(dataset, data_dir)  # so that a folder which does not hold it is said now
    if entry is None or entry.fingerprint or not entry.train_images or data_dir is not None:
        return facts(dataset, data_dir)
    try:
        return _learned(dataset, load(dataset, None, download=False))
    except InputError:
        # where the table leaves the pixels' statistics to the images, any do: nothing is trained by them
        statistics = entry.normalizations or {"dataset": ((0.5,) * entry.shape[0], (0.25,) * entry.shape[0])}
        return entry._replace(fingerprint=ABSENT, normalizations=statistics)
