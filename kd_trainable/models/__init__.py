"""The table of networks: a name, who builds it, how large it is and where its features are.

Every network has an ``embedding`` ([B, D], what the last layer reads, or its mean over the image), and but for the
shufflenets, where it is ``fc``, a ``classifier`` ([B, K]). Stages are tapped at their full resolution, before the next
one's pooling. Weights start as PyTorch's layers do, or torchvision's where the network is theirs; nothing is dropped.

``before_relu`` has what the last ReLU of each stage is given, and the batch norm that made it:

- resnets: the sum of the last block, and its last batch norm (RepDistiller: ``get_bn_before_relu``).
- wide resnets: their blocks end without ReLU; the next batch norm's output, and that same norm, as in the overhaul
  authors' code (clovaai/overhaul-distillation, ``WideResNet.extract_feature``).
- mobilenetv2: its blocks end in a batch norm without ReLU; the block's own output, as in RepDistiller.
- shufflenets and squeezenets: the last ReLU makes only half of a stage's channels, and those are tapped.
"""

from __future__ import annotations

from kd_trainable.vocabulary import ModelEntry

Taps = tuple[tuple[str, str], ...]

_TWO = ("stage1", "stage2", "embedding")
_THREE = ("stage1", "stage2", "stage3", "embedding")
_FOUR = ("stage1", "stage2", "stage3", "stage4", "embedding")
_FIVE = ("stage1", "stage2", "stage3", "stage4", "stage5", "embedding")
_MOBILE = ("features.3", "features.6", "features.13", "features.17", "embedding")
_SHUFFLE = ("conv1", "stage2", "stage3", "stage4", "embedding")
_SHUFFLE_RELU = (
    ("conv1.2/input", "conv1.1"),
    *((f"stage{n}.{last}.branch2.7/input", f"stage{n}.{last}.branch2.6") for n, last in ((2, 3), (3, 7), (4, 3))),
)
_WRN_RELU = (("stage2.0.bn1", "stage2.0.bn1"), ("stage3.0.bn1", "stage3.0.bn1"), ("embedding.0", "embedding.0"))


def _block_relu(*blocks: int, norm: str = "bn2") -> Taps:
    """Of a resnet with so many blocks a stage."""
    return tuple(
        (f"stage{n}.{count - 1}.relu/input", f"stage{n}.{count - 1}.{norm}") for n, count in enumerate(blocks, 1)
    )


def _plain_relu(*relus: int, norm: bool = True) -> Taps:
    """Of stages that are sequences of layers, by the place of their last ReLU, right after the batch norm."""
    return tuple((f"stage{n}.{at}/input", f"stage{n}.{at - 1}" if norm else "") for n, at in enumerate(relus, 1))


def _fire_relu(stem: int, *fires: int) -> Taps:
    return ((f"features.{stem}/input", ""), *((f"features.{n}.expand3x3_activation/input", "") for n in fires))


def _resnet(name: str, parameters: int, *blocks: int, classes: int = 10, norm: str = "bn2") -> ModelEntry:
    taps, before_relu = _THREE if len(blocks) == 3 else _FOUR, _block_relu(*blocks, norm=norm)
    return ModelEntry(f"kd_trainable.models.resnet:{name}", parameters, taps, classes=classes, before_relu=before_relu)


def _wrn(name: str, parameters: int) -> ModelEntry:
    return ModelEntry(f"kd_trainable.models.wrn:{name}", parameters, _THREE, before_relu=_WRN_RELU)


def _vgg(name: str, parameters: int, *relus: int, classes: int = 10) -> ModelEntry:
    target = f"kd_trainable.models.vgg:{name}"
    return ModelEntry(target, parameters, _FIVE, classes=classes, before_relu=_plain_relu(*relus))


def _shufflenet(name: str, parameters: int, weights: str) -> ModelEntry:
    target = f"kd_trainable.models.shufflenetv2:{name}"
    return ModelEntry(target, parameters, _SHUFFLE, classes=1000, before_relu=_SHUFFLE_RELU, weights=weights)


def _squeezenet(name: str, parameters: int, weights: str, *last: int) -> ModelEntry:
    taps = (*(f"features.{n}" for n in last), "embedding")
    target, before_relu = f"kd_trainable.models.squeezenet:{name}", _fire_relu(*last)
    return ModelEntry(target, parameters, taps, classes=1000, before_relu=before_relu, weights=weights)


MODELS: dict[str, ModelEntry] = {
    "vgg8": _vgg("vgg8", 3_965_028, 2, 3, 3, 3, 2, classes=100),
    "vgg11": _vgg("vgg11", 9_231_114, 2, 3, 6, 6, 6),
    "vgg13": _vgg("vgg13", 9_416_010, 5, 6, 6, 6, 5),
    "vgg16": _vgg("vgg16", 14_728_266, 5, 6, 9, 9, 9),
    "vgg19": _vgg("vgg19", 20_040_522, 5, 6, 12, 12, 12),
    "resnet8": _resnet("resnet8", 75_290, 1, 1, 1),
    "resnet14": _resnet("resnet14", 172_506, 2, 2, 2),
    "resnet20": _resnet("resnet20", 269_722, 3, 3, 3),
    "resnet32": _resnet("resnet32", 464_154, 5, 5, 5),
    "resnet44": _resnet("resnet44", 658_586, 7, 7, 7),
    "resnet56": _resnet("resnet56", 853_018, 9, 9, 9),
    "resnet110": _resnet("resnet110", 1_727_962, 18, 18, 18),
    "resnet8x4": _resnet("resnet8x4", 1_233_540, 1, 1, 1, classes=100),
    "resnet32x4": _resnet("resnet32x4", 7_433_860, 5, 5, 5, classes=100),
    "resnet18": _resnet("resnet18", 11_173_962, 2, 2, 2, 2),
    "resnet34": _resnet("resnet34", 21_282_122, 3, 4, 6, 3),
    "resnet50": _resnet("resnet50", 23_520_842, 3, 4, 6, 3, norm="bn3"),
    "resnet101": _resnet("resnet101", 42_512_970, 3, 4, 23, 3, norm="bn3"),
    "resnet152": _resnet("resnet152", 58_156_618, 3, 8, 36, 3, norm="bn3"),
    "wrn_16_1": _wrn("wrn_16_1", 175_066),
    "wrn_16_2": _wrn("wrn_16_2", 691_674),
    "wrn_40_1": _wrn("wrn_40_1", 563_930),
    "wrn_40_2": _wrn("wrn_40_2", 2_243_546),
    "mobilenetv2": ModelEntry(
        "kd_trainable.models.mobilenetv2:mobilenetv2",
        3_504_872,
        _MOBILE,
        classes=1000,
        before_relu=tuple((tap, f"{tap}.conv.3") for tap in _MOBILE[:-1]),
        weights="MobileNet_V2_Weights.IMAGENET1K_V1",
    ),
    "shufflenetv2_x0_5": _shufflenet("shufflenetv2_x0_5", 1_366_792, "ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1"),
    "shufflenetv2_x1_0": _shufflenet("shufflenetv2_x1_0", 2_278_604, "ShuffleNet_V2_X1_0_Weights.IMAGENET1K_V1"),
    "shufflenetv2_x1_5": _shufflenet("shufflenetv2_x1_5", 3_503_624, "ShuffleNet_V2_X1_5_Weights.IMAGENET1K_V1"),
    "shufflenetv2_x2_0": _shufflenet("shufflenetv2_x2_0", 7_393_996, "ShuffleNet_V2_X2_0_Weights.IMAGENET1K_V1"),
    "squeezenet1_0": _squeezenet("squeezenet1_0", 1_248_424, "SqueezeNet1_0_Weights.IMAGENET1K_V1", 1, 5, 10, 12),
    "squeezenet1_1": _squeezenet("squeezenet1_1", 1_235_496, "SqueezeNet1_1_Weights.IMAGENET1K_V1", 1, 4, 7, 12),
    "conv4": ModelEntry("kd_trainable.models.conv:conv4", 115_658, _FOUR, before_relu=_plain_relu(2, 3, 3, 3)),
    "conv5x5": ModelEntry("kd_trainable.models.conv:conv5x5", 62_006, _TWO, before_relu=_plain_relu(1, 2, norm=False)),
    "cnn2": ModelEntry("kd_trainable.models.conv:cnn2", 25_578, _TWO, before_relu=_plain_relu(1, 2, norm=False)),
    "digits_cnn": ModelEntry(
        "kd_trainable.models.digits:digits_cnn", 56_714, _THREE, (1, 8, 8), before_relu=_plain_relu(2, 2, 3)
    ),
    "digits_mlp": ModelEntry("kd_trainable.models.digits:digits_mlp", 1_210, ("embedding",), (1, 8, 8)),
    "emnist_cnn": ModelEntry(
        "kd_trainable.models.emnist:emnist_cnn",
        3_378_970,
        _TWO,
        (1, 28, 28),
        classes=26,
        before_relu=_plain_relu(1, 2, norm=False),
    ),
    "emnist_mlp": ModelEntry("kd_trainable.models.emnist:emnist_mlp", 415_258, ("embedding",), (1, 28, 28), classes=26),
}
