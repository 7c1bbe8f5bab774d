"""Residual networks for small images (He et al. 2016, arXiv:1512.03385).

Every block's last ReLU is a module, ``relu``, so that what it is given can be tapped: ``stage1.2.relu/input``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Shortcut = Callable[[int, int, int], nn.Module]
BlockOf = Callable[[int, int, int, Shortcut], nn.Module]


class PaddedShortcut(nn.Module):
    """Option A of He et al., section 4.2: every second pixel, and zeros for the new channels; no parameters."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        # Zeros on both sides, as in the reference counts' public code; on one side only is the same up to a renaming.
        self.before = (width - width_in) // 2
        self.after = width - width_in - self.before

    def forward(self, images: Float[Tensor, "B C1 H1 W1"]) -> Float[Tensor, "B C2 H2 W2"]:
        return F.pad(images[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.before, self.after))


def projection(width_in: int, width: int, stride: int) -> nn.Module:
    """Option B of He et al.: a strided 1 x 1 convolution and its batch norm."""
    return nn.Sequential(nn.Conv2d(width_in, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width))


class Block(nn.Module):
    """Two 3 x 3 convolutions around a shortcut."""

    expansion = 1
    last_norm = "bn2"  # the batch norm whose weight zero-gamma starts at 0

    def __init__(self, width_in: int, width: int, stride: int, shortcut: Shortcut) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        changes = stride != 1 or width_in != width
        self.shortcut = shortcut(width_in, width, stride) if changes else nn.Identity()
        self.relu = nn.ReLU()

    def forward(self, images: Float[Tensor, "B C1 H1 W1"]) -> Float[Tensor, "B C2 H2 W2"]:
        inner = torch.relu(self.bn1(self.conv1(images)))
        total: Tensor = self.relu(self.bn2(self.conv2(inner)) + self.shortcut(images))
        return total


class Bottleneck(nn.Module):
    """1 x 1 to a quarter of the width, 3 x 3 (with the stride, as in torchvision), 1 x 1 back, around a shortcut."""

    expansion = 4
    last_norm = "bn3"

    def __init__(self, width_in: int, width: int, stride: int, shortcut: Shortcut) -> None:
        super().__init__()
        inner = width // self.expansion
        self.conv1 = nn.Conv2d(width_in, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        changes = stride != 1 or width_in != width
        self.shortcut = shortcut(width_in, width, stride) if changes else nn.Identity()
        self.relu = nn.ReLU()

    def forward(self, images: Float[Tensor, "B C1 H1 W1"]) -> Float[Tensor, "B C2 H2 W2"]:
        inner = torch.relu(self.bn1(self.conv1(images)))
        inner = torch.relu(self.bn2(self.conv2(inner)))
        total: Tensor = self.relu(self.bn3(self.conv3(inner)) + self.shortcut(images))
        return total


def _resnet(
    block: BlockOf,
    widths: tuple[int, ...],
    blocks: tuple[int, ...],
    shortcut: Shortcut,
    num_classes: int,
    in_channels: int,
    stem_width: int = 0,
) -> nn.Module:
    """Stages of the given output widths; every stage but the first halves the image."""
    before = stem_width or widths[0]
    stem = nn.Conv2d(in_channels, before, 3, padding=1, bias=False)
    layers: OrderedDict[str, nn.Module] = OrderedDict(stem=nn.Sequential(stem, nn.BatchNorm2d(before), nn.ReLU()))
    for number, (width, count) in enumerate(zip(widths, blocks, strict=True), start=1):
        # The first block is made last: so it was when the first teachers got their initial weights.
        rest = [block(width, width, 1, shortcut) for _ in range(count - 1)]
        layers[f"stage{number}"] = nn.Sequential(block(before, width, 1 if number == 1 else 2, shortcut), *rest)
        before = width
    layers["embedding"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    layers["classifier"] = nn.Linear(widths[-1], num_classes)
    return nn.Sequential(layers)


def _of_depth(depth: int, num_classes: int, in_channels: int) -> nn.Module:
    """Depth 6 n + 2 of He et al., section 4.2: three stages of n blocks, 16, 32 and 64 wide.

    Shortcuts are option A (zeros, no parameters), "in all cases" of that section; with option B, as in RepDistiller,
    each has 2,752 parameters more.
    """
    return _resnet(Block, (16, 32, 64), ((depth - 2) // 6,) * 3, PaddedShortcut, num_classes, in_channels)


def resnet8(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ResNet-8, [B, C, H, W] -> [B, K]; 75,290 parameters at 10 classes. The recipe of He et al. at n = 1."""
    return _of_depth(8, num_classes, in_channels)


def resnet14(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ResNet-14, [B, C, H, W] -> [B, K]; 172,506 parameters at 10 classes. The recipe of He et al. at n = 2."""
    return _of_depth(14, num_classes, in_channels)


def resnet20(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ResNet-20 of He et al., section 4.2, [B, C, H, W] -> [B, K]; 269,722 parameters (their 0.27M) at 10 classes."""
    return _of_depth(20, num_classes, in_channels)


def resnet32(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ResNet-32 of He et al., section 4.2, [B, C, H, W] -> [B, K]; 464,154 parameters (their 0.46M) at 10 classes."""
    return _of_depth(32, num_classes, in_channels)


def resnet44(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ResNet-44 of He et al., section 4.2, [B, C, H, W] -> [B, K]; 658,586 parameters (their 0.66M) at 10 classes."""
    return _of_depth(44, num_classes, in_channels)


def resnet56(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ResNet-56 of He et al., section 4.2, [B, C, H, W] -> [B, K]; 853,018 parameters (their 0.85M) at 10 classes."""
    return _of_depth(56, num_classes, in_channels)


def resnet110(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ResNet-110 of He et al., section 4.2, [B, C, H, W] -> [B, K]; 1,727,962 parameters (their 1.7M) at 10 classes."""
    return _of_depth(110, num_classes, in_channels)


def resnet8x4(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """RepDistiller's resnet8x4, [B, C, H, W] -> [B, K]; 1,233,540 parameters at 100 classes.

    Four times as wide but for the stem (32), so that the first stage too needs a projection (option B).
    """
    return _resnet(Block, (64, 128, 256), (1, 1, 1), projection, num_classes, in_channels, stem_width=32)


def resnet32x4(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """RepDistiller's resnet32x4, five blocks a stage, else as ``resnet8x4``; 7,433,860 parameters at 100 classes."""
    return _resnet(Block, (64, 128, 256), (5, 5, 5), projection, num_classes, in_channels, stem_width=32)


def resnet18(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ResNet-18 with the CIFAR stem (3 x 3, stride 1, no pooling), [B, C, H, W] -> [B, K]; 11,173,962 parameters."""
    return _resnet(Block, (64, 128, 256, 512), (2, 2, 2, 2), projection, num_classes, in_channels)


def resnet34(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ResNet-34 with the CIFAR stem, [B, C, H, W] -> [B, K]; 21,282,122 parameters at 10 classes."""
    return _resnet(Block, (64, 128, 256, 512), (3, 4, 6, 3), projection, num_classes, in_channels)


def _bottleneck(blocks: tuple[int, ...], num_classes: int, in_channels: int) -> nn.Module:
    widths = (256, 512, 1024, 2048)
    return _resnet(Bottleneck, widths, blocks, projection, num_classes, in_channels, stem_width=64)


def resnet50(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ResNet-50 with the CIFAR stem, [B, C, H, W] -> [B, K]; 23,520,842 parameters at 10 classes."""
    return _bottleneck((3, 4, 6, 3), num_classes, in_channels)


def resnet101(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ResNet-101 with the CIFAR stem, [B, C, H, W] -> [B, K]; 42,512,970 parameters at 10 classes."""
    return _bottleneck((3, 4, 23, 3), num_classes, in_channels)


def resnet152(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ResNet-152 with the CIFAR stem, [B, C, H, W] -> [B, K]; 58,156,618 parameters at 10 classes."""
    return _bottleneck((3, 8, 36, 3), num_classes, in_channels)
