"""The networks of johnkorn/distillation (421ed7a, models.py) for 28 x 28 letters: convolutional teacher, perceptron.

ReLU after every layer but the last, as there. Their Keras code also drops 0.25 of the features after each pooling and
0.5 before the last layer (perceptron: 0.2); here dropout is the run's own field, before the last layer alone. Keras
starts with Glorot's uniform weights and zero biases: ``init="xavier"``.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


def emnist_cnn(num_classes: int = 26, in_channels: int = 1) -> nn.Module:
    """[B, C, 28, 28] -> [B, K]: convolutions 64 and 128, 3 x 3 unpadded; 3200-1024-K; 3,378,970 parameters."""
    head = (nn.Flatten(), nn.Linear(3200, 1024), nn.ReLU())  # 28 -> 26 -> 13 -> 11 -> 5: 128 x 5 x 5
    return nn.Sequential(
        OrderedDict(
            stage1=nn.Sequential(nn.Conv2d(in_channels, 64, 3), nn.ReLU()),
            stage2=nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(64, 128, 3), nn.ReLU()),
            embedding=nn.Sequential(nn.MaxPool2d(2), *head),
            classifier=nn.Linear(1024, num_classes),
        )
    )


def emnist_mlp(num_classes: int = 26, in_channels: int = 1) -> nn.Module:
    """[B, C, 28, 28] -> [B, K]: 784 C pixels, 512 hidden units, K; 415,258 parameters at 26 classes and one channel."""
    return nn.Sequential(
        OrderedDict(
            embedding=nn.Sequential(nn.Flatten(), nn.Linear(784 * in_channels, 512), nn.ReLU()),
            classifier=nn.Linear(512, num_classes),
        )
    )
