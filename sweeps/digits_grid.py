"""Temperature x alpha x loss mode on scikit-learn's digits: the whole pipeline on real images, nothing to download.

Question: does a small perceptron learn more from a convolutional teacher than from the labels alone, and at which
temperature, alpha and loss mode? 1,437 images train (143 of them held out to select), 360 test.
Cost: 34 runs and the teacher, about a minute on two cores.
"""

from analysis.summary import summarise
from kd_trainable.tuning.command import Preset
from kd_trainable.tuning.main import main

RECIPE = {"dataset": "digits", "augment": "none", "batch_size": 64, "lr": 0.05, "epochs": 20}

PRESETS = {
    "demo": Preset(
        "T 1 2 4 8 x alpha .5 .9 x cse mse x seeds 0 1, and baselines: 34 runs of 20 epochs",
        {**RECIPE, "student": "digits_mlp"},
        [{"mode": ["cse", "mse"], "temperature": [1, 2, 4, 8], "alpha": [0.5, 0.9]}],
        seeds=[0, 1],
        teacher_recipe={**RECIPE, "student": "digits_cnn"},
    )
}

if __name__ == "__main__":
    main("digits_grid", __doc__, PRESETS, summarise)
