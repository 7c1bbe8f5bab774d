"""CIFAR-100 (Krizhevsky 2009), through torchvision: 50,000 and 10,000 colour images of 32 x 32 in 100 classes."""

from __future__ import annotations

from pathlib import Path

from torchvision.datasets import CIFAR100

from kd_trainable.data.cifar10 import read_cifar
from kd_trainable.data.images import ImageData


def cifar100(data_dir: str | Path | None = None, download: bool = True) -> ImageData:
    """The arrays of CIFAR-100 with its 100 fine labels, in the order of torchvision's class names.

    ``data_dir`` holds cifar-100-python, or is that folder; else as for cifar10 (a download of 169 MB).
    """
    return read_cifar("cifar100", "CIFAR-100", CIFAR100, "fine_labels", data_dir, download)
