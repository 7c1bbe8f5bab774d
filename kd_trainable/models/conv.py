"""Small plain convolutional students for 32 x 32 images. Each pooling opens the next part, as in vgg.py."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


def conv4(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """[B, C, 32, 32] -> [B, K]: four times convolution 64, batch norm, ReLU, max-pool; 115,658 parameters."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number in range(1, 5):
        convolution = nn.Conv2d(in_channels if number == 1 else 64, 64, 3, padding=1)
        pool = [] if number == 1 else [nn.MaxPool2d(2)]
        layers[f"stage{number}"] = nn.Sequential(*pool, convolution, nn.BatchNorm2d(64), nn.ReLU())
    layers["embedding"] = nn.Sequential(nn.MaxPool2d(2), nn.Flatten())
    layers["classifier"] = nn.Linear(256, num_classes)  # 32 pixels halved four times: 64 x 2 x 2
    return nn.Sequential(layers)


def conv5x5(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """[B, C, 32, 32] -> [B, K]: two 5 x 5 convolutions without padding, 400-120-84-K; 62,006 parameters.

    The network of PyTorch's CIFAR-10 tutorial, after LeNet-5 (LeCun et al. 1998).
    """
    head = (nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU())  # 32 -> 28 -> 14 -> 10 -> 5: 16 x 5 x 5
    return nn.Sequential(
        OrderedDict(
            stage1=nn.Sequential(nn.Conv2d(in_channels, 6, 5), nn.ReLU()),
            stage2=nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU()),
            embedding=nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), *head),
            classifier=nn.Linear(84, num_classes),
        )
    )


def cnn2(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """[B, C, 32, 32] -> [B, K]: two 3 x 3 convolutions, 16 and 32 channels; 25,578 parameters at 10 classes.

    The alpha x temperature tables that this student reproduces name "a two-layer CNN" and no widths: 16 and 32,
    no batch norm and a single linear layer are this library's own choice. Compare directions with theirs, not levels.
    """
    return nn.Sequential(
        OrderedDict(
            stage1=nn.Sequential(nn.Conv2d(in_channels, 16, 3, padding=1), nn.ReLU()),
            stage2=nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()),
            embedding=nn.Sequential(nn.MaxPool2d(2), nn.Flatten()),
            classifier=nn.Linear(2048, num_classes),  # 32 pixels halved twice: 32 x 8 x 8
        )
    )
