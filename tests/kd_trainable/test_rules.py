"""What no run can be, each in one line that names the field, the value and what is allowed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kd_trainable import rules
from kd_trainable.data import DATASETS
from kd_trainable.data.split import holdout
from kd_trainable.rules import training_images
from kd_trainable.spec import DEFAULTS, FIELDS, RunSpec, require_field
from kd_trainable.vocabulary import InputError

MULTISTEP = {"schedule": "multistep", "milestones": [3]}
REFUSED: list[tuple[dict[str, Any], str, list[str]]] = [
    # a name
    ({"dataset": "cifar"}, "dataset: unknown name 'cifar'", ["did you mean 'cifar10'", "digits"]),
    ({"student": "resnet21"}, "student: unknown name 'resnet21'", ["did you mean 'resnet", "allowed: vgg8, "]),
    ({"teacher": "resnet81"}, "teacher: unknown name 'resnet81'", ["did you mean 'resnet8'", "package.module:call"]),
    ({"method": "kdd"}, "method: unknown name 'kdd'", ["did you mean 'kd'", "allowed: none, kd"]),
    ({"mode": "cross"}, "mode: unknown name 'cross'", ["allowed: cse, kl, mse, logit_mse"]),
    ({"mode": "logitmse"}, "mode: unknown name 'logitmse'", ["did you mean 'logit_mse'"]),
    ({"convention": "Hinton"}, "convention: unknown name 'Hinton'", ["'hinton'", "unscaled, additive, hard_lambda"]),
    ({"control": "shuffled"}, "control: unknown name 'shuffled'", ["did you mean 'shuffled-teacher'", "none"]),
    ({"optimizer": "adamv"}, "optimizer: unknown name 'adamv'", ["did you mean 'adam", "allowed: sgd, adam, adamw"]),
    ({"schedule": "cosin"}, "schedule: unknown name 'cosin'", ["did you mean 'cosine'", "constant, multistep"]),
    ({"augment": "crop"}, "augment: unknown name 'crop'", ["did you mean 'crop4'", "none, flip, crop4, crop4+flip"]),
    ({"normalization": "data"}, "normalization: unknown name 'data'", ["did you mean 'dataset'", "per_image"]),
    ({"protocol": "hold-out"}, "protocol: unknown name 'hold-out'", ["did you mean 'holdout'", "published"]),
    ({"precision": "float16"}, "precision: unknown name 'float16'", ["did you mean 'float32'", "bf16"]),
    ({"mode": "own_method:mode"}, "mode: unknown name 'own_method:mode'", ["allowed: cse, "]),
    ({"student": "own-network:net"}, "student: unknown name 'own-network:net'", ["package.module:callable"]),
    # a range
    ({"temperature": 0}, "temperature: 0 is not allowed", ["must be > 0"]),
    ({"temperature": -1.5}, "temperature: -1.5 is not allowed", ["must be > 0"]),
    ({"temperature": float("nan")}, "temperature: nan is not allowed", ["must be > 0"]),
    ({"temperature": float("inf")}, "temperature: inf is not allowed", ["must be > 0"]),
    ({"alpha": -0.1}, "alpha: -0.1 is not allowed", ["must be >= 0"]),
    ({"alpha": 1.1}, "alpha: 1.1 is not allowed", ["must be in [0, 1] for convention hinton"]),
    ({"alpha": 1.1, "convention": "unscaled"}, "alpha: 1.1 is not allowed", ["for convention unscaled"]),
    ({"alpha": -1, "convention": "additive"}, "alpha: -1 is not allowed", ["must be >= 0"]),
    ({"alpha": float("inf"), "convention": "additive"}, "alpha: inf is not allowed", ["must be >= 0"]),
    ({"lr": 0}, "lr: 0 is not allowed", ["must be > 0"]),
    ({"lr": "nan"}, "lr: nan is not allowed", ["must be > 0"]),
    ({"momentum": 1}, "momentum: 1 is not allowed", ["must be in [0, 1)"]),
    ({"weight_decay": -1e-4}, "weight_decay: -0.0001 is not allowed", ["must be >= 0"]),
    ({"gamma": 0}, "gamma: 0 is not allowed", ["must be in (0, 1]"]),
    ({"label_smoothing": 1}, "label_smoothing: 1 is not allowed", ["must be in [0, 1)"]),
    ({"epochs": 0}, "epochs: 0 is not allowed", ["must be a whole number >= 1"]),
    ({"batch_size": 0}, "batch_size: 0 is not allowed", ["must be a whole number >= 1"]),
    ({"warmup_epochs": -1}, "warmup_epochs: -1 is not allowed", ["must be a whole number >= 0"]),
    ({"patience": -1}, "patience: -1 is not allowed", ["must be a whole number >= 0"]),
    ({"seed": -1}, "seed: -1 is not allowed", ["must be a whole number >= 0"]),
    ({"seed": 2**63}, f"seed: {2**63} is not allowed", ["below 2^63"]),
    ({"seed": 10**400}, "seed: 1000", ["below 2^63"]),
    # a type
    ({"epochs": 2.5}, "epochs: 2.5 is not allowed", ["must be a whole number"]),
    ({"epochs": np.float32(2.5)}, "epochs: ", ["2.5", "must be a whole number"]),
    ({"epochs": "many"}, "epochs: 'many' is not allowed", ["must be a whole number"]),
    ({"epochs": True}, "epochs: True is not allowed", ["must be a whole number"]),
    ({"epochs": None}, "epochs: None is not allowed", ["must be a whole number"]),
    ({"epochs": float("inf")}, "epochs: inf is not allowed", ["must be a whole number"]),
    ({"seed": np.True_}, "seed: ", ["True", "must be a whole number"]),
    ({"lr": "fast"}, "lr: 'fast' is not allowed", ["must be a number"]),
    ({"lr": True}, "lr: True is not allowed", ["must be a number"]),
    ({"lr": [0.1]}, "lr: [0.1] is not allowed", ["must be a number"]),
    ({"temperature": "hot"}, "temperature: 'hot' is not allowed", ["must be a number, or a schedule [[0, value]"]),
    ({"nesterov": "maybe"}, "nesterov: 'maybe' is not allowed", ["must be true or false"]),
    ({"fresh_optimizer": 2}, "fresh_optimizer: 2 is not allowed", ["must be true or false"]),
    ({"milestones": 5}, "milestones: 5 is not allowed", ["must be whole numbers"]),
    ({"milestones": [1.5]}, "milestones: [1.5] is not allowed", ["must be whole numbers"]),
    ({"hyperparameters": [1]}, "hyperparameters: [1] is not allowed", ["a mapping of names to numbers"]),
    ({"hyperparameters": {"w": "x"}}, "hyperparameters: {'w': 'x'} is not allowed", ["names to numbers"]),
    # a schedule of T or alpha
    ({"temperature": []}, "temperature: [] is not allowed", ["[[0, value], [epoch, value], ...]", "rising"]),
    ({"temperature": [[1, 4]]}, "temperature: [[1, 4.0]] is not allowed", ["[[0, value], [epoch, value], ...]"]),
    ({"temperature": [[0, 1], [5, 4], [5, 2]]}, "temperature: [[0, 1.0], [5, 4.0], [5, 2.0]]", ["epochs rising"]),
    ({"temperature": [[0, 1], [5, 0]]}, "temperature: 0 is not allowed", ["must be > 0"]),
    ({"temperature": [[0, 1, 2]]}, "temperature: [[0, 1, 2]] is not allowed", ["or a schedule"]),
    ({"alpha": [[0, 0.5], [2, 1.5]]}, "alpha: 1.5 is not allowed", ["in [0, 1] for convention hinton"]),
    ({"alpha": [[0, 0.5], [2.5, 0.6]]}, "alpha: [[0, 0.5], [2.5, 0.6]] is not allowed", ["or a schedule"]),
    # a combination
    ({"milestones": [3]}, "milestones: [3] is not allowed", ["schedule cosine has none; use multistep"]),
    ({"schedule": "multistep"}, "milestones: none given is not allowed", ["multistep needs at least one"]),
    ({**MULTISTEP, "milestones": [5, 3]}, "milestones: [5, 3] is not allowed", ["rising whole numbers >= 1"]),
    ({**MULTISTEP, "milestones": [3, 3]}, "milestones: [3, 3] is not allowed", ["rising whole numbers >= 1"]),
    ({**MULTISTEP, "milestones": [0]}, "milestones: [0] is not allowed", ["rising whole numbers >= 1"]),
    ({"warmup_epochs": 30}, "warmup_epochs: 30 is not allowed", ["less than epochs (30)"]),
    ({"nesterov": True, "momentum": 0}, "nesterov: true is not allowed", ["needs momentum > 0"]),
    ({"schedule": "one_cycle", "warmup_epochs": 2}, "warmup_epochs: 2 is not allowed", ["one_cycle warms up"]),
    ({"method": "kd+kd"}, "method: kd+kd is not allowed", ["names kd more than once"]),
    ({"method": "kd+none"}, "method: unknown name 'none'", ["allowed: kd"]),
    ({"method": "kd+"}, "method: unknown name ''", ["allowed: kd"]),
    ({"method": "fitnet"}, "method: unknown name 'fitnet'", ["did you mean 'fitnets'?"]),
    ({"method": "at", "hyperparameters": {"at.wieght": 1}}, "hyperparameters: unknown name 'at.wieght'", ["at.weight"]),
    ({"method": "at", "hyperparameters": {"rkd.angle": 1}}, "hyperparameters: unknown name 'rkd.angle'", ["at.weight"]),
    ({"method": "at", "hyperparameters": {"at.weight": -1}}, "hyperparameters: at.weight=-1 is not allowed", [">= 0"]),
    ({"method": "dml", "hyperparameters": {"dml.temperature": 0}}, "hyperparameters: dml.temperature=0", ["> 0"]),
    ({"method": "ofd", "hyperparameters": {"ofd.teacher_train": 0.5}}, "hyperparameters: ofd.teacher_train=0.5", []),
    ({"method": "at", "taps": ["a:b:c:d"]}, "taps: 'a:b:c:d' is not allowed", ["[METHOD=]STUDENT[:TEACHER"]),
    ({"method": "at", "taps": ["pkt=a"]}, "taps: 'pkt=a' is not allowed", ["pkt is no term of method at"]),
    ({"method": "dml", "peer": "resnet9"}, "peer: unknown name 'resnet9'", ["did you mean 'resnet"]),
    ({"optimizer": "adadelta", "rho": 1}, "rho: 1 is not allowed", ["[0, 1)"]),
    ({"schedule": "step", "step_epochs": 0}, "step_epochs: 0 is not allowed", [">= 1"]),
    ({"schedule": "plateau", "plateau_patience": 0}, "plateau_patience: 0 is not allowed", [">= 1"]),
    ({"patience": 1, "monitor": "f1"}, "monitor: unknown name 'f1'", ["allowed: accuracy, loss"]),
    ({"pretrained": "imagenet"}, "pretrained: 'imagenet' is not allowed", ["true or false"]),
    ({"no_bias_decay": None}, "no_bias_decay: None is not allowed", ["true or false"]),
    ({"linear_scaling": "on"}, "linear_scaling: 'on' is not allowed", ["true or false"]),
    ({"cutout": 32}, "cutout: 32 is not allowed", ["images' side", "32 x 32"]),
    ({"random_erasing": 1.5}, "random_erasing: 1.5 is not allowed", ["[0, 1]"]),
    ({"mixup": -1}, "mixup: -1 is not allowed", [">= 0"]),
    ({"dropout": 1}, "dropout: 1 is not allowed", ["[0, 1)"]),
    ({"zero_gamma": 2}, "zero_gamma: 2 is not allowed", ["true or false"]),
    ({"init": "he"}, "init: unknown name 'he'", ["default, xavier, kaiming"]),
    ({"hyperparameters": {"weight": 1}}, "hyperparameters: 'weight' is not allowed", ["method kd has none"]),
    (
        {"method": "own_method:loss", "hyperparameters": {"temperature": 1}},
        "hyperparameters: 'temperature' is not allowed",
        ["by the field of that name"],
    ),
    (
        {"method": "own_method:loss", "hyperparameters": {"w": float("nan")}},
        "hyperparameters: w=nan is not allowed",
        ["finite"],
    ),
    ({"batch_size": 45_001}, "batch_size: 45001 is not allowed", ["cifar10 has 45000 training images"]),
    ({"batch_size": 1_295, "dataset": "digits"}, "batch_size: 1295", ["digits has 1294 training images"]),
    ({"batch_size": 1_438, "dataset": "digits", "protocol": "published"}, "batch_size: 1438", ["has 1437 training"]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "begins", "said"), REFUSED)
def test_what_cannot_be_gets_one_clear_line(changes: dict[str, Any], begins: str, said: list[str]) -> None:
    """The line begins with the field and the value, then says what is allowed."""
    with pytest.raises(InputError) as caught:
        RunSpec(**changes)
    line = str(caught.value)
    assert line.startswith(begins)
    assert "\n" not in line
    for words in said:
        assert words in line


def test_every_field_that_can_be_wrong_is_refused_somewhere_above() -> None:
    assert {begins.partition(":")[0] for _, begins, _ in REFUSED} == set(FIELDS)


def test_what_is_allowed_at_the_edges_is_allowed() -> None:
    for changes in [
        {"alpha": 0}, {"alpha": 1}, {"alpha": 7, "convention": "additive"}, {"momentum": 0}, {"gamma": 1, **MULTISTEP},
        {"batch_size": 45_000}, {"batch_size": 50_000, "protocol": "published"}, {"warmup_epochs": 29},
        {"seed": 2**63 - 1}, {"epochs": 1}, {"dataset": "own_data:load", "batch_size": 10**9, "normalization": "any"},
    ]:  # fmt: skip
        RunSpec(**changes)


def test_an_unknown_field_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(
        InputError, match=r"temprature: no such field \(did you mean 'temperature'\?\); fields: dataset"
    ):
        require_field("temprature")
    require_field("temperature")


@pytest.mark.parametrize("protocol", rules.PROTOCOLS)
@pytest.mark.parametrize("images", [9, 10, 1_437, 49_999, 50_000, 60_000])
def test_images_that_a_plan_counts_on_are_those_of_the_split(images: int, protocol: str) -> None:
    trained = len(holdout(np.arange(images) % 10, 10)[0]) if protocol == "holdout" else images
    assert training_images(images, protocol) == trained


def test_all_data_sets_have_a_default_normalization() -> None:
    """Those that state none learn it, under that name, from the images."""
    stated = [entry.normalizations for entry in DATASETS.values() if entry.normalizations]
    assert len(stated) > 5
    assert all(DEFAULTS["normalization"] in normalizations for normalizations in stated)
