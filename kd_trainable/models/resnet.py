"""Residual networks for small images (He et al. 2016, arXiv:1512.03385)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class PaddedShortcut(nn.Module):
    """Option A of He et al., section 4.2: every second pixel, and zeros for the new channels; no parameters."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        # Zeros on both sides, as in the reference counts' public code; on one side only is the same up to a renaming.
        self.before = (width - width_in) // 2
        self.after = width - width_in - self.before

    def forward(self, images: Float[Tensor, "B C1 H1 W1"]) -> Float[Tensor, "B C2 H2 W2"]:
        return F.pad(images[:, :, ::2, ::2], (0, 0, 0, 0, self.before, self.after))


def projection(width_in: int, width: int) -> nn.Module:
    """Option B of He et al.: a strided 1 x 1 convolution and its batch norm."""
    return nn.Sequential(nn.Conv2d(width_in, width, 1, stride=2, bias=False), nn.BatchNorm2d(width))


class Block(nn.Module):
    """Two 3 x 3 convolutions around a shortcut; halves the image when it widens."""

    def __init__(self, width_in: int, width: int, shortcut: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        widens = width != width_in
        self.conv1 = nn.Conv2d(width_in, width, 3, stride=2 if widens else 1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = shortcut(width_in, width) if widens else nn.Identity()

    def forward(self, images: Float[Tensor, "B C1 H1 W1"]) -> Float[Tensor, "B C2 H2 W2"]:
        inner = torch.relu(self.bn1(self.conv1(images)))
        return torch.relu(self.bn2(self.conv2(inner)) + self.shortcut(images))


def _resnet(
    widths: tuple[int, ...],
    blocks: int,
    shortcut: Callable[[int, int], nn.Module],
    num_classes: int,
    in_channels: int,
) -> nn.Module:
    stem = nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False)
    layers: OrderedDict[str, nn.Module] = OrderedDict(stem=nn.Sequential(stem, nn.BatchNorm2d(widths[0]), nn.ReLU()))
    for number, (width_in, width) in enumerate(zip((widths[0], *widths), widths, strict=False), start=1):
        rest = [Block(width, width, shortcut) for _ in range(blocks - 1)]
        layers[f"stage{number}"] = nn.Sequential(Block(width_in, width, shortcut), *rest)
    layers["embedding"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    layers["classifier"] = nn.Linear(widths[-1], num_classes)
    return nn.Sequential(layers)


def resnet18(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ResNet-18 with the CIFAR stem (3 x 3, stride 1, no pooling), [B, C, H, W] -> [B, K]; 11,173,962 parameters."""
    return _resnet((64, 128, 256, 512), 2, projection, num_classes, in_channels)


def resnet20(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ResNet-20 of He et al., section 4.2, [B, C, H, W] -> [B, K]; 269,722 parameters (their 0.27M) at 10 classes.

    Shortcuts are option A (zeros, no parameters), "in all cases" of that section; with option B it would have 272,474.
    """
    return _resnet((16, 32, 64), 3, PaddedShortcut, num_classes, in_channels)
