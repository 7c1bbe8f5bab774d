"""ShuffleNetV2 for 32 x 32 images (Ma et al. 2018, arXiv:1807.11164), of torchvision's modules.

The stem's stride is 1 and the max-pooling after it is left out, so that 32 pixels end as 4 and not as one; so have
kuangliu/pytorch-cifar and, with a 1 x 1 stem, RepDistiller. Names and shapes of the weights are torchvision's, whose
pretrained ones fit.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn
from torchvision.models.shufflenetv2 import ShuffleNetV2

from kd_trainable.models.library import small_stem


def _shufflenetv2(widths: tuple[int, int, int], last: int, num_classes: int, in_channels: int) -> nn.Module:
    network = ShuffleNetV2([4, 8, 4], [24, *widths, last], num_classes)
    network.conv1[0] = small_stem(network.conv1[0], in_channels)
    return nn.Sequential(
        OrderedDict(
            conv1=network.conv1,
            stage2=network.stage2,
            stage3=network.stage3,
            stage4=network.stage4,
            conv5=network.conv5,
            embedding=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            fc=network.fc,
        )
    )


def shufflenetv2_x0_5(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ShuffleNetV2 x0.5, [B, C, H, W] -> [B, K]; 1,366,792 parameters at 1000 classes, as torchvision's."""
    return _shufflenetv2((48, 96, 192), 1024, num_classes, in_channels)


def shufflenetv2_x1_0(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ShuffleNetV2 x1.0, [B, C, H, W] -> [B, K]; 2,278,604 parameters at 1000 classes, as torchvision's."""
    return _shufflenetv2((116, 232, 464), 1024, num_classes, in_channels)


def shufflenetv2_x1_5(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ShuffleNetV2 x1.5, [B, C, H, W] -> [B, K]; 3,503,624 parameters at 1000 classes, as torchvision's."""
    return _shufflenetv2((176, 352, 704), 1024, num_classes, in_channels)


def shufflenetv2_x2_0(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ShuffleNetV2 x2.0, [B, C, H, W] -> [B, K]; 7,393,996 parameters at 1000 classes, as torchvision's."""
    return _shufflenetv2((244, 488, 976), 2048, num_classes, in_channels)
