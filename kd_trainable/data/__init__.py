"""The table of data sets: name -> entry. Strings and numbers only, so that a plan can check a name without torch."""

from __future__ import annotations

from kd_trainable.vocabulary import DatasetEntry

DATASETS: dict[str, DatasetEntry] = {
    "cifar10": DatasetEntry(
        target="kd_trainable.data.cifar10:cifar10",
        shape=(3, 32, 32),
        classes=10,
        train_images=50_000,
        test_images=10_000,
        normalizations={
            # The mean and standard deviation of all training pixels.
            "dataset": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
            # The widely copied constants: their std is the mean of each image's own, so smaller than the pixels'.
            "per_image": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
        },
        fingerprint="e6216b9018fcebdb2fc8d67681111ecdcbcb1599320d6cfc1c4f6ff4b91839a8",
    ),
    "digits": DatasetEntry(
        target="kd_trainable.data.digits:digits",
        shape=(1, 8, 8),
        classes=10,
        train_images=1_437,
        test_images=360,
        normalizations={"dataset": ((0.3054,), (0.3753,))},  # of the 1,437 training images
        fingerprint="ed44642ab3b16ada9bfeb3b6c84f29236f3fbc7eb5194107090cf2943b15dfeb",
    ),
}

# How many views an augmentation has. View ids: flip; dy * 9 + dx; (dy * 9 + dx) * 2 + flip. See views.py.
VIEWS = {"none": 1, "flip": 2, "crop4": 81, "crop4+flip": 162}
