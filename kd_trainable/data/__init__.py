"""The table of data sets: name -> entry. Strings and numbers only, so that a plan can check a name without torch.

Without a fingerprint the data is loaded to be planned with; what an entry does state is then checked. Normalizations
that are not stated are measured on the training pixels.
"""

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
    "cifar100": DatasetEntry(
        target="kd_trainable.data.cifar100:cifar100",
        shape=(3, 32, 32),
        classes=100,
        train_images=50_000,
        test_images=10_000,
        # The constants of most repositories (RepDistiller, mdistiller); not measured here.
        normalizations={"dataset": ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761))},
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
    "emnist_letters": DatasetEntry(
        target="kd_trainable.data.emnist_letters:emnist_letters",
        shape=(1, 28, 28),
        classes=26,
        train_images=124_800,
        test_images=20_800,
        # of the 124,800 training images; pixels as they are, in [0, 1]
        normalizations={"dataset": ((0.1722,), (0.3309,)), "unit": ((0.0,), (1.0,))},
        fingerprint="4d99b3ae8dc2ce8bf0d81d8965e8248530a90799cfb14ec9e3c4b284ed150b05",
    ),
    "fashion_mnist": DatasetEntry(
        target="kd_trainable.data.fashion_mnist:fashion_mnist",
        shape=(1, 28, 28),
        classes=10,
        train_images=60_000,
        test_images=10_000,
        normalizations={"dataset": ((0.2860,), (0.3530,))},  # widely used; not measured here
    ),
    "folder": DatasetEntry(target="kd_trainable.data.folders:folder"),
    "folder32": DatasetEntry(target="kd_trainable.data.folders:folder32"),
    "folder64": DatasetEntry(target="kd_trainable.data.folders:folder64"),
    "image_list": DatasetEntry(target="kd_trainable.data.image_list:image_list"),
    "image_list32": DatasetEntry(target="kd_trainable.data.image_list:image_list32"),
    "image_list64": DatasetEntry(target="kd_trainable.data.image_list:image_list64"),
    "imagenet32": DatasetEntry(
        target="kd_trainable.data.imagenet32:imagenet32",
        shape=(3, 32, 32),
        classes=1_000,
        train_images=1_281_167,
        test_images=50_000,
    ),
    "mnist": DatasetEntry(
        target="kd_trainable.data.mnist:mnist",
        shape=(1, 28, 28),
        classes=10,
        train_images=60_000,
        test_images=10_000,
        normalizations={"dataset": ((0.1307,), (0.3081,))},  # PyTorch's own example; not measured here
    ),
    "mnist32": DatasetEntry(  # padded, not resized
        target="kd_trainable.data.mnist:mnist32",
        shape=(3, 32, 32),
        classes=10,
        train_images=60_000,
        test_images=10_000,
    ),
    "tiny_imagenet": DatasetEntry(
        target="kd_trainable.data.tiny_imagenet:tiny_imagenet",
        shape=(3, 64, 64),
        classes=200,
        train_images=100_000,
        test_images=10_000,
    ),
}

# How many views an augmentation has. View ids: flip; dy * 9 + dx; (dy * 9 + dx) * 2 + flip. See views.py.
VIEWS = {"none": 1, "flip": 2, "crop4": 81, "crop4+flip": 162}
