"""The table of networks: a name, who builds it, how large it is and where its features are.

Every network ends in ``embedding`` ([B, D], what the last linear layer reads) and ``classifier`` ([B, K]); its
stages are tapped at their full resolution, before the next one's pooling. Weights start as PyTorch's layers do.
"""

from __future__ import annotations

from kd_trainable.vocabulary import ModelEntry

_FOUR_STAGES = ("stage1", "stage2", "stage3", "stage4", "embedding")

MODELS: dict[str, ModelEntry] = {
    "vgg16": ModelEntry(
        "kd_trainable.models.vgg:vgg16", 14_728_266, ("stage1", "stage2", "stage3", "stage4", "stage5", "embedding")
    ),
    "resnet18": ModelEntry("kd_trainable.models.resnet:resnet18", 11_173_962, _FOUR_STAGES),
    "resnet20": ModelEntry("kd_trainable.models.resnet:resnet20", 269_722, ("stage1", "stage2", "stage3", "embedding")),
    "wrn_16_2": ModelEntry("kd_trainable.models.wrn:wrn_16_2", 691_674, ("stage1", "stage2", "stage3", "embedding")),
    "conv4": ModelEntry("kd_trainable.models.conv:conv4", 115_658, _FOUR_STAGES),
    "conv5x5": ModelEntry("kd_trainable.models.conv:conv5x5", 62_006, ("stage1", "stage2", "embedding")),
    "cnn2": ModelEntry("kd_trainable.models.conv:cnn2", 25_578, ("stage1", "stage2", "embedding")),
    "digits_cnn": ModelEntry(
        "kd_trainable.models.digits:digits_cnn", 56_714, ("stage1", "stage2", "stage3", "embedding"), (1, 8, 8)
    ),
    "digits_mlp": ModelEntry("kd_trainable.models.digits:digits_mlp", 1_210, ("embedding",), (1, 8, 8)),
}
