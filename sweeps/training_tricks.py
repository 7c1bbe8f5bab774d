"""Training tricks, one by one, with and without a teacher: does a trick help the student, and is distillation one?

Source: DistillationLab (its table of tricks is empty; recipe as in cifar100_methods.py). Every trick is a field, so
any of them combine: ``--mixup 0 0.2 --cutout 0 8`` sweeps their product.
Cost: published and quick are for GPUs; cifar10 is 60 runs for two CPU cores. --dry-run estimates each.
"""

from analysis.summary import summarise
from kd_trainable.tuning.command import Preset
from kd_trainable.tuning.main import main

DOCUMENT = {"dataset": "cifar100", "lr": 0.1, "weight_decay": 2e-4, "batch_size": 256, "epochs": 180}
STEPS = {"schedule": "step", "step_epochs": 45}
STUDENT = {"student": "mobilenetv2", "convention": "additive", "temperature": 4, "alpha": 0.9}
TRICKS = [
    {},
    {"init": ["xavier", "kaiming"]},
    {"no_bias_decay": [True]},
    {"label_smoothing": [0.1]},
    {"random_erasing": [0.5]},
    {"linear_scaling": [False, True], "batch_size": [512]},  # at 256, where it begins, it changes nothing
    {"cutout": [8]},
    {"dropout": [0.2]},
    {"warmup_epochs": [5]},
    {"mixup": [0.2]},
    {"zero_gamma": [True]},
    {"augment": ["none"]},
    {"schedule": ["cosine", "constant"]},
]
PRETRAINED = {"pretrained": [True]}
SHORT = {"dataset": "cifar10", "epochs": 6, "schedule": "cosine", "nesterov": True, "precision": "bf16"}

PRESETS = {
    "quick": Preset(
        "ResNet-18 -> MobileNetV2, 30 epochs, steps of 8, warm-up 2, bf16; teacher 40 epochs of cosine: for one GPU",
        {**DOCUMENT, **STUDENT, "epochs": 30, "schedule": "step", "step_epochs": 8, "precision": "bf16"},
        [*(t if "warmup_epochs" not in t else {"warmup_epochs": [2]} for t in TRICKS), PRETRAINED],
        seeds=[0, 1],
        teacher_recipe={**DOCUMENT, "schedule": "cosine", "epochs": 40, "student": "resnet18", "precision": "bf16"},
    ),
    "cifar10": Preset(
        "those that resnet8 can take, on CIFAR-10: wrn_16_2 -> resnet8, 6 epochs, cosine, nesterov, bf16, seeds 0 1",
        {**SHORT, "student": "resnet8"},
        [t if "warmup_epochs" not in t else {"warmup_epochs": [1]} for t in TRICKS],
        seeds=[0, 1],
        teacher_recipe={"student": "wrn_16_2", "epochs": 20, "nesterov": True, "precision": "bf16"},
    ),
    "published": Preset(
        "the document's recipe, 180 epochs, each trick with and without the teacher",
        {**DOCUMENT, **STEPS, **STUDENT},
        [*TRICKS, PRETRAINED],
        seeds=[0, 1],
        teacher_recipe={**DOCUMENT, **STEPS, "student": "resnet18"},
    ),
}

if __name__ == "__main__":
    main("training_tricks", __doc__, PRESETS, summarise)
