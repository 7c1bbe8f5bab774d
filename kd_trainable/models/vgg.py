"""VGG for 32 x 32 images (Simonyan & Zisserman 2015, arXiv:1409.1556), with batch norm and one linear layer.

Each pooling opens the next stage, so that a stage's tap is what it computed and not a quarter of it.
vgg11, vgg16 and vgg19 are configurations A, D and E, halved five times, from 32 pixels to one. vgg8 and vgg13 are
RepDistiller's vgg8_bn and vgg13_bn ("S" and B): halved three times, from 32 pixels to 4, where the last two stages
work and the mean is taken. The parameters are the same either way.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

_WIDTHS = (64, 128, 256, 512, 512)


def _stage(width_in: int, width: int, convolutions: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(convolutions):
        layers += [nn.Conv2d(width_in, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        width_in = width
    return nn.Sequential(*layers)


def _vgg(
    convolutions: tuple[int, ...], poolings: int, last: nn.Module, num_classes: int, in_channels: int
) -> nn.Module:
    """Five stages; from the second on, ``poolings`` of them open with a max-pooling; ``last`` leaves 1 x 1."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    before = in_channels
    for number, (width, count) in enumerate(zip(_WIDTHS, convolutions, strict=True), start=1):
        pool = [nn.MaxPool2d(2)] if 1 < number <= poolings + 1 else []
        layers[f"stage{number}"] = nn.Sequential(*pool, *_stage(before, width, count))
        before = width
    layers["embedding"] = nn.Sequential(last, nn.Flatten())
    layers["classifier"] = nn.Linear(512, num_classes)
    return nn.Sequential(layers)


def vgg8(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """VGG-8 as in RepDistiller, for [B, C, 32, 32]: 5 convolutions with bias; 3,965,028 parameters at 100 classes."""
    return _vgg((1, 1, 1, 1, 1), 3, nn.AdaptiveAvgPool2d(1), num_classes, in_channels)


def vgg11(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """VGG-11 for [B, C, 32, 32]: 8 convolutions with bias, 512 -> K; 9,231,114 parameters at 10 classes."""
    return _vgg((1, 1, 2, 2, 2), 4, nn.MaxPool2d(2), num_classes, in_channels)


def vgg13(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """VGG-13 as in RepDistiller, for [B, C, 32, 32]: 10 convolutions; 9,416,010 parameters at 10 classes."""
    return _vgg((2, 2, 2, 2, 2), 3, nn.AdaptiveAvgPool2d(1), num_classes, in_channels)


def vgg16(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """VGG-16 for [B, C, 32, 32]: 13 convolutions with bias, 512 -> K; 14,728,266 parameters at 10 classes."""
    return _vgg((2, 2, 3, 3, 3), 4, nn.MaxPool2d(2), num_classes, in_channels)


def vgg19(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """VGG-19 for [B, C, 32, 32]: 16 convolutions with bias, 512 -> K; 20,040,522 parameters at 10 classes."""
    return _vgg((2, 2, 4, 4, 4), 4, nn.MaxPool2d(2), num_classes, in_channels)
