"""Method x teacher on CIFAR-100: which distillation method helps MobileNetV2, and does a larger teacher help more?

Source: DistillationLab (loss CE + lambda x method; its table of results is empty). It names neither the number of
epochs nor its weights: four steps of 45 epochs here, and each method's weight from its own paper's code.
Cost: published is 24 runs a teacher, for GPUs; cifar10 took 1 h 27 min on two CPU cores that had other work too.
"""

from analysis.summary import summarise
from kd_trainable.tuning.command import Preset
from kd_trainable.tuning.main import main

METHODS = ["kd", "l2", "l2_root", "fitnets", "at", "at_paper", "pkt", "rkd", "sp", "ofd", "dml"]
GRID = [{"method": METHODS}]
DOCUMENT = {
    "dataset": "cifar100",
    "lr": 0.1,
    "weight_decay": 2e-4,
    "batch_size": 256,
    "schedule": "step",
    "step_epochs": 45,
    "epochs": 180,
}
STUDENT = {"student": "mobilenetv2", "convention": "additive", "temperature": 4, "alpha": 0.9}
SHORT = {"dataset": "cifar10", "epochs": 5, "lr": 0.1, "nesterov": True, "precision": "bf16"}


def published(teacher: str) -> Preset:
    """The document's recipe, which holds 10 % of the training images out, under one of its five teachers."""
    return Preset(
        f"teacher {teacher}: {len(METHODS)} methods and the baseline x seeds 0 1, 180 epochs, holdout",
        {**DOCUMENT, **STUDENT},
        GRID,
        seeds=[0, 1],
        teacher_recipe={**DOCUMENT, "student": teacher},
    )


PRESETS = {
    "quick": Preset(
        "ResNet-18 -> MobileNetV2, 30 epochs of cosine, bf16, teacher 40 epochs: for one GPU",
        {**DOCUMENT, **STUDENT, "schedule": "cosine", "epochs": 30, "precision": "bf16"},
        GRID,
        seeds=[0, 1],
        teacher_recipe={**DOCUMENT, "schedule": "cosine", "epochs": 40, "student": "resnet18", "precision": "bf16"},
    ),
    "cifar10": Preset(
        "the same question on CIFAR-10 in little time: wrn_16_2 -> resnet8, 5 epochs, x seeds 0 1",
        {**SHORT, "student": "resnet8"},
        GRID,
        seeds=[0, 1],
        teacher_recipe={"student": "wrn_16_2", "epochs": 20, "nesterov": True, "precision": "bf16"},
    ),
    "published": published("resnet18"),
    **{f"published-{depth}": published(f"resnet{depth}") for depth in (34, 50, 101, 152)},
}

if __name__ == "__main__":
    main("cifar100_methods", __doc__, PRESETS, summarise)
