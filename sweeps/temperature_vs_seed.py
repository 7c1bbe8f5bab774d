"""Temperature against randomness on CIFAR-10: does T move a small student more than its seed does?

Source: tyui592's knowledge_distillation (ResNet-18 -> the classic 5 x 5 network, CE + 0.1 T^2 KL). Its tables give T
on one seed, and four seeds without a teacher, and lie 2.6 and 2.4 points apart; published runs every T on all four.
Cost: quick is as much as cifar10_grid's, and shares its teacher; published is for GPUs. --dry-run estimates both.
"""

from analysis.summary import summarise
from kd_trainable.tuning.command import Preset
from kd_trainable.tuning.main import main

DOCUMENT = {"dataset": "cifar10", "epochs": 300, "batch_size": 128, "lr": 0.1, "protocol": "published"}
STEPS = {"schedule": "multistep", "milestones": [150, 225]}
STUDENT = {"dataset": "cifar10", "student": "conv5x5", "convention": "additive", "alpha": 0.1, "mode": "kl"}
GRID = [{"temperature": [1, 10, 30, 50, 100]}]

PRESETS = {
    "quick": Preset(
        "T 1 10 30 50 100 and none x seeds 777 10 20 30: 24 runs of 5 epochs, lr .02, cosine, nesterov, holdout; "
        "teacher wrn_16_2, 20 epochs, bf16",
        {**STUDENT, "epochs": 5, "lr": 0.02, "nesterov": True},
        GRID,
        seeds=[777, 10, 20, 30],
        teacher_recipe={"student": "wrn_16_2", "epochs": 20, "nesterov": True, "precision": "bf16"},
    ),
    "published": Preset(
        "the document's recipe: ResNet-18 teacher, 300 epochs, test tracked; every T on all four seeds",
        {**STUDENT, **DOCUMENT, **STEPS},
        GRID,
        seeds=[777, 10, 20, 30],
        teacher_recipe={**DOCUMENT, **STEPS, "student": "resnet18"},
    ),
}

if __name__ == "__main__":
    main("temperature_vs_seed", __doc__, PRESETS, summarise)
