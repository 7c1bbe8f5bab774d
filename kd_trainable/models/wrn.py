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


def wrn_16_2(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """WRN-16-2, [B, C, H, W] -> [B, K], three stages of two blocks: 691,674 parameters at 10 classes."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(stem=nn.Conv2d(in_channels, 16, 3, padding=1, bias=False))
    for number, (width_in, width) in enumerate(((16, 32), (32, 64), (64, 128)), start=1):
        stride = 1 if number == 1 else 2
        layers[f"stage{number}"] = nn.Sequential(WideBlock(width_in, width, stride), WideBlock(width, width, 1))
    last = (nn.BatchNorm2d(128), nn.ReLU())  # pre-activation blocks end unactivated
    layers["embedding"] = nn.Sequential(*last, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    layers["classifier"] = nn.Linear(128, num_classes)
    return nn.Sequential(layers)
