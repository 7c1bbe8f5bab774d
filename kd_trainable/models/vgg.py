"""VGG for 32 x 32 images (Simonyan & Zisserman 2015, configuration D), with batch norm and one linear layer."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

_WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def _stage(width_in: int, widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Conv2d(width_in, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        width_in = width
    return nn.Sequential(*layers)


def vgg16(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """VGG-16 for [B, C, 32, 32]: 13 convolutions with bias, 512 -> K; 14,728,266 parameters at 10 classes.

    Five halvings take 32 pixels to one. Each pooling opens the next stage, so that a stage's tap is what it
    computed and not a quarter of it.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(stage1=_stage(in_channels, _WIDTHS[0]))
    for number, widths in enumerate(_WIDTHS[1:], start=2):
        layers[f"stage{number}"] = nn.Sequential(nn.MaxPool2d(2), *_stage(_WIDTHS[number - 2][-1], widths))
    layers["embedding"] = nn.Sequential(nn.MaxPool2d(2), nn.Flatten())
    layers["classifier"] = nn.Linear(512, num_classes)
    return nn.Sequential(layers)
