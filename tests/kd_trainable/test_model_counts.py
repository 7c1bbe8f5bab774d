"""The parameter counts of the table are those that others publish, and their pretrained weights fit."""

from __future__ import annotations

import itertools

import pytest
import torch
import torchvision
from torch import nn

from kd_trainable.models import MODELS
from kd_trainable.models.build import build, count_parameters

PUBLISHED = {  # at 10 classes
    # as counted in public tables of models, of kuangliu's architectures and of the wide resnets
    "vgg11": 9_231_114, "vgg13": 9_416_010, "vgg16": 14_728_266, "vgg19": 20_040_522,
    "resnet18": 11_173_962, "resnet34": 21_282_122, "resnet50": 23_520_842, "resnet101": 42_512_970,
    "resnet152": 58_156_618, "shufflenetv2_x1_0": 1_263_854,
    "wrn_16_1": 175_066, "wrn_16_2": 691_674, "wrn_40_1": 563_930,
    # with option A, as in akamaster/pytorch_resnet_cifar10
    "resnet20": 269_722,
}  # fmt: skip
OPTION_B = {  # at 10 classes, in public tables of models; its two projections have 2,752 parameters, option A none
    "resnet8": 78_042, "resnet14": 175_258, "resnet20": 272_474, "resnet32": 466_906, "resnet44": 661_338,
    "resnet56": 855_770, "resnet110": 1_730_714,
}  # fmt: skip
MILLIONS = {  # (classes, as printed)
    # He et al. 2016, table 6
    "resnet20": (10, "0.27"), "resnet32": (10, "0.46"), "resnet44": (10, "0.66"), "resnet56": (10, "0.85"),
    "resnet110": (10, "1.7"),
    # Zagoruyko & Komodakis 2016 (from memory; 40-2 also by hand below)
    "wrn_40_1": (10, "0.6"), "wrn_40_2": (10, "2.2"),
    # chenyaofo/pytorch-cifar-models, README
    "mobilenetv2": (100, "2.35"), "shufflenetv2_x0_5": (100, "0.44"), "shufflenetv2_x1_0": (100, "1.36"),
    "shufflenetv2_x1_5": (100, "2.58"), "shufflenetv2_x2_0": (100, "5.55"),
    # weiaicunzai/pytorch-cifar100, README
    "resnet18": (100, "11.2"), "resnet34": (100, "21.3"), "resnet50": (100, "23.7"), "resnet101": (100, "42.7"),
    "resnet152": (100, "58.3"),
}  # fmt: skip
TORCHVISION = {  # the classifiers of torchvision whose names and shapes a network's weights have
    "mobilenetv2": "mobilenet_v2", "squeezenet1_0": "squeezenet1_0", "squeezenet1_1": "squeezenet1_1",
    **{f"shufflenetv2_{width}": f"shufflenet_v2_{width}" for width in ("x0_5", "x1_0", "x1_5", "x2_0")},
}  # fmt: skip
EMNIST = {"emnist_cnn": 3_378_970, "emnist_mlp": 415_258}  # johnkorn/distillation, README


def on_meta(name: str, classes: int) -> nn.Module:
    with torch.device("meta"):
        return build(name, classes, MODELS[name].shape[0])


def count(name: str, classes: int) -> int:
    return count_parameters(on_meta(name, classes))


def test_parameter_counts_are_those_published() -> None:
    assert {name: count(name, 10) for name in PUBLISHED} == PUBLISHED
    assert {name: count(name, 10) + 2_752 for name in OPTION_B} == OPTION_B
    assert {name: count(name, 26) for name in EMNIST} == EMNIST


def test_parameter_counts_round_to_those_printed() -> None:
    def printed(name: str) -> str:
        classes, text = MILLIONS[name]
        return f"{count(name, classes) / 1e6:.{len(text.partition('.')[2])}f}"

    assert {name: printed(name) for name in MILLIONS} == {name: text for name, (_, text) in MILLIONS.items()}


def conv(width_in: int, width: int, size: int = 3) -> int:
    return width_in * width * size * size


def test_parameter_counts_of_distillation_benchmarks_by_hand() -> None:
    """RepDistiller prints none for these: summed here from its code, layer by layer; a norm has 2 a channel."""

    def wide_resnet(depth: int, factor: int, classes: int) -> int:
        total, before = conv(3, 16), 16
        for width in (16 * factor, 32 * factor, 64 * factor):
            total += 2 * before + conv(before, width) + 2 * width + conv(width, width)
            total += conv(before, width, 1) if before != width else 0
            total += ((depth - 4) // 6 - 1) * (4 * width + 2 * conv(width, width))
            before = width
        return total + 2 * before + before * classes + classes

    def resnet_x4(blocks: int, classes: int) -> int:
        total, before = conv(3, 32) + 2 * 32, 32
        for width in (64, 128, 256):
            total += conv(before, width) + conv(width, width) + conv(before, width, 1) + 6 * width
            total += (blocks - 1) * (2 * conv(width, width) + 4 * width)
            before = width
        return total + 256 * classes + classes

    widths = (3, 64, 128, 256, 512, 512)
    vgg8 = sum(conv(a, b) + 3 * b for a, b in itertools.pairwise(widths)) + 512 * 100 + 100
    assert (count("wrn_40_2", 10), count("wrn_40_2", 100)) == (wide_resnet(40, 2, 10), wide_resnet(40, 2, 100))
    assert wide_resnet(16, 1, 10) == 175_066  # the formula itself
    assert (count("resnet8x4", 100), count("resnet32x4", 100)) == (resnet_x4(1, 100), resnet_x4(5, 100))
    assert count("vgg8", 100) == vgg8


@pytest.mark.parametrize(("name", "theirs"), TORCHVISION.items())
def test_weights_have_the_names_and_shapes_of_torchvisions(name: str, theirs: str) -> None:
    """So that its pretrained weights fit; the count is the one that it publishes with them."""
    weights = torchvision.models.get_weight(MODELS[name].weights)
    assert weights in torchvision.models.get_model_weights(theirs)
    with torch.device("meta"):
        expected = torchvision.models.get_model(theirs).state_dict()
    found = on_meta(name, 1000).state_dict()
    assert {key: value.shape for key, value in found.items()} == {k: v.shape for k, v in expected.items()}
    assert count(name, 1000) == weights.meta["num_params"]


def test_networks_with_torchvisions_weights_are_those_that_say_so() -> None:
    assert {name for name, entry in MODELS.items() if entry.weights} == TORCHVISION.keys()
