"""Wide residual networks (Zagoruyko & Komodakis 2016, arXiv:1605.07146), without dropout."""

from __future__ import annotations

from collections import OrderedDict

import torch
from jaxtyping import Float
from torch import Tensor, nn


class WideBlock(nn.Module):
    """Pre-activation block: batch norm and ReLU come before each 3 x 3 convolution.

    Where the width changes, the 1 x 1 shortcut reads the activated input, as in the authors' code.
    """

    pre_activation = True  # it ends in a convolution: no batch norm of its own for zero-gamma to start at 0

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(width_in)
        self.conv1 = nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = None if width == width_in else nn.Conv2d(width_in, width, 1, stride=stride, bias=False)

    def forward(self, images: Float[Tensor, "B C1 H1 W1"]) -> Float[Tensor, "B C2 H2 W2"]:
        active = torch.relu(self.bn1(images))
        inner = self.conv2(torch.relu(self.bn2(self.conv1(active))))
        return inner + (images if self.shortcut is None else self.shortcut(active))


def _wrn(depth: int, factor: int, num_classes: int, in_channels: int) -> nn.Module:
    """Depth 6 n + 4: three stages of n blocks, 16, 32 and 64 times ``factor`` wide.

    At factor 1 the first stage keeps the stem's width and has no 1 x 1 shortcut, as in the authors' code.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(stem=nn.Conv2d(in_channels, 16, 3, padding=1, bias=False))
    before, blocks = 16, (depth - 4) // 6
    for number, width in enumerate((16 * factor, 32 * factor, 64 * factor), start=1):
        first = WideBlock(before, width, 1 if number == 1 else 2)
        layers[f"stage{number}"] = nn.Sequential(first, *(WideBlock(width, width, 1) for _ in range(blocks - 1)))
        before = width
    last = (nn.BatchNorm2d(before), nn.ReLU())  # pre-activation blocks end unactivated
    layers["embedding"] = nn.Sequential(*last, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    layers["classifier"] = nn.Linear(before, num_classes)
    return nn.Sequential(layers)


def wrn_16_1(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """WRN-16-1, [B, C, H, W] -> [B, K], three stages of two blocks: 175,066 parameters at 10 classes."""
    return _wrn(16, 1, num_classes, in_channels)


def wrn_16_2(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """WRN-16-2, [B, C, H, W] -> [B, K], three stages of two blocks: 691,674 parameters at 10 classes."""
    return _wrn(16, 2, num_classes, in_channels)


def wrn_40_1(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """WRN-40-1, [B, C, H, W] -> [B, K], three stages of six blocks: 563,930 parameters at 10 classes."""
    return _wrn(40, 1, num_classes, in_channels)


def wrn_40_2(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """WRN-40-2, [B, C, H, W] -> [B, K], three stages of six blocks: 2,243,546 parameters (2.2M) at 10 classes."""
    return _wrn(40, 2, num_classes, in_channels)
