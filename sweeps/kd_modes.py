"""Loss mode x temperature x alpha on CIFAR-10: soft cross-entropy against squared error of softened probabilities.

Source: Alluka-L's Knowledge-Distilling (EXP0 to EXP4, VGG-16 -> four conv layers). Five of its cells, T=16 with mse,
were blank and filled in later; published runs them too. The teacher there was never put in eval mode while it taught;
ours is.
Cost: published is for GPUs; quick is one alpha per experiment and few epochs, some hours on two CPU cores.
"""

from analysis.summary import summarise
from kd_trainable.tuning.command import Preset
from kd_trainable.tuning.main import main

MODES = ["cse", "mse"]
STUDENT = {
    "dataset": "cifar10",
    "student": "conv4",
    "optimizer": "adam",
    "lr": 1e-4,
    "weight_decay": 0,
    "schedule": "constant",
    "batch_size": 128,
    "normalization": "per_image",
}
TEACHER = {
    "student": "vgg16",
    "lr": 0.1,
    "weight_decay": 0,
    "schedule": "multistep",
    "fresh_optimizer": True,
    "batch_size": 128,
}

PRESETS = {
    "quick": Preset(
        "T 1 4 8 16 at alpha 1 in both modes, and the baseline: 9 runs of 10 epochs, lr 1e-3, bf16, holdout; "
        "teacher 12 epochs with weight decay 5e-4",
        {**STUDENT, "lr": 1e-3, "epochs": 10, "precision": "bf16"},
        [{"mode": MODES, "temperature": [1, 4, 8, 16], "alpha": [1]}],
        teacher_recipe={**TEACHER, "epochs": 12, "milestones": [8, 11], "precision": "bf16", "weight_decay": 5e-4},
    ),
    "published": Preset(
        "EXP0 to EXP4 to the letter: 34 cells and the baseline, 300 epochs, test tracked",
        {**STUDENT, "epochs": 300, "protocol": "published"},
        [
            {"mode": MODES, "temperature": [1], "alpha": [1, 0.5]},
            {"mode": MODES, "temperature": [2, 4, 8, 12, 16], "alpha": [1]},
            {"mode": MODES, "temperature": [8, 16], "alpha": [0.1, 0.3, 0.5, 0.7, 0.9]},
        ],
        teacher_recipe={**TEACHER, "epochs": 300, "milestones": [150, 250]},
    ),
}

if __name__ == "__main__":
    main("kd_modes", __doc__, PRESETS, summarise)
