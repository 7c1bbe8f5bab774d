"""MobileNetV2 for 32 x 32 images (Sandler et al. 2018, arXiv:1801.04381), of torchvision's modules."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn
from torchvision.models.mobilenetv2 import MobileNetV2

from kd_trainable.models.library import small_stem

# Expansion, channels, blocks, stride: table 2 of the paper, but for the stride of the 24 channels, which is 2 there.
_SETTING = [
    [1, 16, 1, 1], [6, 24, 2, 1], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1],
]  # fmt: skip


def mobilenetv2(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """MobileNetV2 at width 1, [B, C, H, W] -> [B, K]; 3,504,872 parameters at 1000 classes, as torchvision's.

    Of the five strides of 2 the first two are 1 (``features.0`` and ``features.2``), so that 32 pixels end as 4 and not
    as one; so has kuangliu/pytorch-cifar. RepDistiller's is another network: half as wide, its stem at stride 2.
    Names and shapes of the weights are torchvision's, whose pretrained ones fit; its dropout is left to the run.
    """
    network = MobileNetV2(num_classes, inverted_residual_setting=_SETTING, dropout=0.0)
    network.features[0][0] = small_stem(network.features[0][0], in_channels)
    return nn.Sequential(
        OrderedDict(
            features=network.features,
            embedding=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            classifier=network.classifier,
        )
    )
