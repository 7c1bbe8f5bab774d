"""The 8 x 8 digits that come with scikit-learn: a real data set that needs no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kd_trainable.data import DATASETS
from kd_trainable.data.images import ImageData


def digits(data_dir: str | Path | None = None, download: bool = True) -> ImageData:
    """1,797 images [1, 8, 8]: the first 1,437 to train on, the last 360, by other writers, for the test.

    Both arguments are without effect, since the images are part of scikit-learn (its copy of the UCI set "Optical
    recognition of handwritten digits"). Its intensities 0..16 become round(x * 255 / 16), a half to the even.
    """
    import sklearn
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images * 255 / 16).astype(np.uint8)[:, None]
    labels = bunch.target.astype(np.int64)
    train = DATASETS["digits"].train_images
    return ImageData(
        name="digits",
        train_images=images[:train],
        train_labels=labels[:train],
        test_images=images[train:],
        test_labels=labels[train:],
        classes=tuple(str(name) for name in bunch.target_names),
        normalizations=DATASETS["digits"].normalizations,
        provenance={"source": "sklearn.datasets.load_digits", "scikit-learn": sklearn.__version__},
    )
