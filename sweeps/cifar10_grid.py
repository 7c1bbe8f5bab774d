"""Alpha x temperature on CIFAR-10: how much does a teacher help a small student, and how softly should it speak?

Source: Tootouch's knowledge distillation repository (ResNet-18 -> two-layer CNN; alpha x temperature without T^2).
Cost on two CPU cores: quick about half an hour, most of it the teacher, which is kept. published: for GPUs.
"""

from analysis.summary import summarise
from kd_trainable.tuning.command import Preset
from kd_trainable.tuning.main import main

# The document: batch 128, lr 0.1, cosine, 100 epochs. It does not say momentum, decay or augmentation: those are ours
# (the usual 0.9, 5e-4, crop and flip), as are the widths of its student, cnn2.
DOCUMENT = {"dataset": "cifar10", "epochs": 100, "batch_size": 128, "lr": 0.1, "schedule": "cosine"}

PRESETS = {
    "quick": Preset(
        "T 1 4 10 x alpha .5 .9 x cse mse x seeds 0 1, convention hinton, conv5x5, 5 epochs, lr .02, nesterov, "
        "holdout, teacher wrn_16_2 of 20 epochs in bf16: 26 runs",
        {"dataset": "cifar10", "student": "conv5x5", "epochs": 5, "lr": 0.02, "nesterov": True},
        [{"mode": ["cse", "mse"], "temperature": [1, 4, 10], "alpha": [0.5, 0.9]}],
        seeds=[0, 1],
        teacher_recipe={"student": "wrn_16_2", "epochs": 20, "nesterov": True, "precision": "bf16"},
    ),
    "gpu": Preset(
        "T 1 4 10 x alpha .5 .9 x cse mse x seeds 0 1 2, ResNet-18 -> resnet20, 60 epochs, holdout: 39 runs",
        {"dataset": "cifar10", "student": "resnet20", "epochs": 60, "lr": 0.1, "nesterov": True, "precision": "bf16"},
        [{"mode": ["cse", "mse"], "temperature": [1, 4, 10], "alpha": [0.5, 0.9]}],
        seeds=[0, 1, 2],
        teacher_recipe={"student": "resnet18", "epochs": 100, "nesterov": True, "precision": "bf16"},
    ),
    "published": Preset(
        "the document to the letter: 45 cells cnn2, 2 cells resnet18, 100 epochs, convention unscaled, test tracked",
        {**DOCUMENT, "convention": "unscaled", "mode": "cse", "protocol": "published"},
        [
            {
                "student": ["cnn2"],
                "alpha": [0.1, 0.25, 0.5, 0.75, 0.9],
                "temperature": [1, 2.5, 5, 7.5, 10, 20, 30, 40, 50],
            },
            {"student": ["resnet18"], "alpha": [0.5], "temperature": [10]},
            {"student": ["resnet18"], "alpha": [0.9], "temperature": [5]},
        ],
        teacher_recipe={**DOCUMENT, "student": "resnet18"},
    ),
}

if __name__ == "__main__":
    main("cifar10_grid", __doc__, PRESETS, summarise)
