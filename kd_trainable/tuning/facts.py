"""What a plan must know of a data set: from the table without loading it, or from a person's own by loading it."""

from __future__ import annotations

import functools

from kd_trainable.data import DATASETS
from kd_trainable.vocabulary import DatasetEntry


@functools.cache
def facts(dataset: str, data_dir: str | None = None) -> DatasetEntry:
    """The table's entry, or one made of ``package.module:callable``'s own images."""
    if dataset in DATASETS:
        return DATASETS[dataset]
    from kd_trainable.data.load import load

    data = load(dataset, data_dir)
    return DatasetEntry(
        dataset,
        data.shape,
        len(data.classes),
        len(data.train_images),
        len(data.test_images),
        data.normalizations,
        data.fingerprint(),
    )
