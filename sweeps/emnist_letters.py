"""Temperature x lambda on EMNIST letters: what does a perceptron with one hidden layer learn from a CNN?

Source: johnkorn's distillation (Keras; CNN of 3,378,970 parameters -> 784-512-26 of 415,258; lambda x CE + soft CE at
T, without T^2). Nothing is augmented, so a single pass of the teacher serves every run.
Cost: quick took 13 minutes for the teacher and 42 for its 21 runs on two CPU cores that had other work too.
"""

from analysis.summary import summarise
from kd_trainable.tuning.command import Preset
from kd_trainable.tuning.main import main

# What the document leaves to Keras: Adadelta with lr 1 and rho .95, Glorot's weights, the plateau's factor .1. Early
# stopping and the plateau looked at the test loss (of the student the distillation's; ours is the labels'), as
# published does; quick looks at held-out images. Left out: the teacher's dropout of .25 after each pooling.
RECIPE = {
    "dataset": "emnist_letters",
    "optimizer": "adadelta",
    "lr": 1.0,
    "rho": 0.95,
    "weight_decay": 0,
    "batch_size": 256,
    "augment": "none",
    "schedule": "plateau",
    "plateau_patience": 1,
    "monitor": "loss",
    "patience": 3,
    "init": "xavier",
    "normalization": "unit",
}
STUDENT = {**RECIPE, "student": "emnist_mlp", "dropout": 0.2, "mode": "cse", "convention": "hard_lambda"}

PRESETS = {
    "quick": Preset(
        "T 1 5 10 x lambda .1 .5, and baselines, x seeds 0 1 2: 21 runs of at most 20 epochs, holdout; "
        "teacher 12 epochs, bf16",
        {**STUDENT, "epochs": 20},
        [{"temperature": [1, 5, 10], "alpha": [0.1, 0.5]}],
        seeds=[0, 1, 2],
        teacher_recipe={**RECIPE, "student": "emnist_cnn", "dropout": 0.5, "epochs": 12, "precision": "bf16"},
    ),
    "published": Preset(
        "the document's recipe: at most 50 epochs, early stopping on the test loss (biased), as it did",
        {**STUDENT, "epochs": 50, "protocol": "published"},
        [{"temperature": [1, 5, 10], "alpha": [0.1, 0.5]}],
        teacher_recipe={**RECIPE, "student": "emnist_cnn", "dropout": 0.5, "epochs": 30},
    ),
}

if __name__ == "__main__":
    main("emnist_letters", __doc__, PRESETS, summarise)
