"""SqueezeNet for 32 x 32 images (Iandola et al. 2016, arXiv:1602.07360), of torchvision's modules.

The first convolution's stride is 1 and it is padded, so that 32 pixels end as 4 (the three poolings halve them) and
not as one; so has weiaicunzai/pytorch-cifar100, whose stem is 3 x 3. Names and shapes of the weights are torchvision's,
whose pretrained ones fit; its dropout is left to the run.

As in the paper the classifier is a convolution, then a ReLU, then the mean over the image: no logit is below 0.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.squeezenet import SqueezeNet

from kd_trainable.models.library import small_stem


class Squeezed(nn.Module):
    """torchvision's ``features`` and ``classifier``, and the mean of what the classifier reads, to be tapped."""

    def __init__(self, features: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.embedding = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = classifier

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        maps = self.features(images)
        self.embedding(maps)  # no layer reads it: the classifier's ReLU comes before its own mean
        logits: Tensor = self.classifier(maps)
        return logits.flatten(1)


def _squeezenet(version: str, num_classes: int, in_channels: int) -> nn.Module:
    network = SqueezeNet(version, num_classes, dropout=0.0)
    network.features[0] = small_stem(network.features[0], in_channels)
    return Squeezed(network.features, network.classifier)


def squeezenet1_0(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """SqueezeNet 1.0, [B, C, H, W] -> [B, K]; 1,248,424 parameters at 1000 classes, as torchvision's."""
    return _squeezenet("1_0", num_classes, in_channels)


def squeezenet1_1(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """SqueezeNet 1.1, [B, C, H, W] -> [B, K]; 1,235,496 parameters at 1000 classes, as torchvision's."""
    return _squeezenet("1_1", num_classes, in_channels)
