"""Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747), through torchvision: 60,000 and 10,000 grey images of 28 x 28."""

from __future__ import annotations

from pathlib import Path

from torchvision.datasets import FashionMNIST

from kd_trainable.data.images import ImageData
from kd_trainable.data.mnist import read_mnist


def fashion_mnist(data_dir: str | Path | None = None, download: bool = True) -> ImageData:
    """Ten kinds of clothes, 1 x 28 x 28; labels are in the order of torchvision's class names.

    ``data_dir`` holds FashionMNIST/raw, or is that folder; else as for mnist (a download of 31 MB).
    """
    return read_mnist("fashion_mnist", "Fashion-MNIST", FashionMNIST, data_dir, download)
