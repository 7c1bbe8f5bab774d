"""Trains, evaluates and keeps a teacher: weights.safetensors, and card.json with its architecture, data set, which
images it saw, recipe, accuracy and sha256. Interrupted, the same command goes on. No Ray.

Give the folder it prints to a sweep as --teacher. Under the default protocol, holdout, the teacher does not see the
images that select among students, so its students' validation accuracy is honest.
"""

import os
import sys

from kd_trainable.models import MODELS
from kd_trainable.resolve import find_own
from kd_trainable.tuning.flags import Parser, fields_of, parser_of, run_script
from kd_trainable.vocabulary import require_known, without_secrets

# 95 % takes ResNet-18 about 100 epochs; the recipe is the field's usual one
RECIPE = {"dataset": "cifar10", "student": "resnet18", "epochs": 100, "nesterov": True, "warmup_epochs": 1}


def parser() -> Parser:
    """--model is the network; every other field of the recipe is a flag of its own name."""
    made = parser_of("train_teacher", __doc__ or "")
    made.add_argument("--model", metavar="NAME", help="network, or package.module:callable (default: resnet18)")
    made.add_argument("--seed", metavar="S", help="seed of initialisation and of the stream of images (default: 0)")
    made.add_argument(
        "--data-dir", metavar="DIR", help="a folder that holds the data; default: a cache, downloaded into"
    )
    made.add_argument("--storage", metavar="DIR|URI", default="results", help="results folder (default: results)")
    return made


def main() -> None:
    """Trains what the command line asks for, and prints where it lies."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    given = parser().parse_args()
    if given.model is not None and ":" not in given.model:
        require_known("model", given.model, MODELS, ", or your own as package.module:callable")
    fields = {**RECIPE, **fields_of(given)}
    fields |= {name: value for name, value in (("student", given.model), ("seed", given.seed)) if value is not None}
    find_own([fields["student"], fields["dataset"]])
    if given.warmup_epochs is None and fields["epochs"] == 1:
        fields["warmup_epochs"] = 0
    from kd_trainable.tuning.teach import trained_teacher

    card, folder = trained_teacher(fields, given.storage, given.data_dir, lambda line: print(line, file=sys.stderr))
    held_out = "" if card.validation_accuracy is None else f"{100 * card.validation_accuracy:.2f} % held out, "
    print(f"{card.architecture}: {held_out}{100 * (card.test_accuracy or 0):.2f} % on test images")
    print(without_secrets(folder))


if __name__ == "__main__":
    run_script("train_teacher.py", main, "stopped; the same command goes on from the last epoch")
