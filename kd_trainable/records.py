"""Every column that is ever written: name, type, unit, meaning. Accuracies are fractions of 1. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from kd_trainable.methods import METHODS
from kd_trainable.spec import DEFAULTS
from kd_trainable.terms import all_hyperparameters, declared, softened, terms


class Column(NamedTuple):
    """One column of a table: pandas dtype, unit ('' where it has none), and what it means in a sentence."""

    name: str
    dtype: str
    unit: str
    meaning: str


SPEC_COLUMNS = (
    Column("dataset", "string", "", "data set"),
    Column("teacher", "string", "", "teacher network; missing for a baseline, which has none"),
    Column("student", "string", "", "student network"),
    Column("method", "string", "", "distillation method, several joined by +, or 'none' for the undistilled baseline"),
    Column("hyperparameters", "string", "", "METHOD.NAME: value as JSON, defaults too; {}: the method has none"),
    Column("taps", "string", "", "[METHOD=]STUDENT:TEACHER that were compared, as JSON; []: the method's own"),
    Column("peer", "string", "", "network of the second student of mutual learning; missing: the student's own"),
    Column("mode", "string", "", "distance between teacher and student: cse, kl, mse, logit_mse"),
    Column("temperature", "Float64", "", "softening T; missing where the run has none or a schedule"),
    Column("alpha", "Float64", "", "balance of the two losses, read by the convention; missing where it is a schedule"),
    Column("temperature_schedule", "string", "", "[[epoch, T], ...] as JSON where T changes in the run"),
    Column("alpha_schedule", "string", "", "[[epoch, alpha], ...] as JSON where alpha changes in the run"),
    Column("convention", "string", "", "how alpha and T give the weights: hinton, unscaled, additive, hard_lambda"),
    Column("control", "string", "", "negative control: none, shuffled-teacher, uniform-teacher"),
    Column("optimizer", "string", "", "sgd, adam, adamw, adadelta"),
    Column("lr", "Float64", "", "learning rate at its highest, before linear_scaling"),
    Column("momentum", "Float64", "", "momentum of sgd"),
    Column("nesterov", "boolean", "", "Nesterov momentum"),
    Column("rho", "Float64", "", "decay of adadelta's averages"),
    Column("weight_decay", "Float64", "", "weight decay, of every parameter unless no_bias_decay"),
    Column("schedule", "string", "", "learning rate schedule: constant, multistep, step, cosine, one_cycle, plateau"),
    Column("milestones", "string", "epochs", "epochs at which multistep multiplies the rate by gamma, as JSON"),
    Column("step_epochs", "Int64", "epochs", "schedule step multiplies the rate by gamma every so many epochs"),
    Column("plateau_patience", "Int64", "epochs", "plateau does so after so many epochs without a better monitor"),
    Column("gamma", "Float64", "", "factor of multistep, step and plateau"),
    Column("warmup_epochs", "Int64", "epochs", "linear warm-up, step by step"),
    Column("fresh_optimizer", "boolean", "", "the optimizer is made anew at each milestone or step"),
    Column("epochs", "Int64", "epochs", "budget: passes over the training split"),
    Column("batch_size", "Int64", "images", "images a step"),
    Column("augment", "string", "", "views: none, flip, crop4, crop4+flip"),
    Column("random_erasing", "Float64", "", "share of the training images with an erased box"),
    Column("cutout", "Int64", "pixels", "side of the square cut out of every training image; 0 is off"),
    Column("mixup", "Float64", "", "parameter of mixup's Beta distribution; 0 is off"),
    Column("normalization", "string", "", "which mean and std the pixels are normalised with"),
    Column("label_smoothing", "Float64", "", "smoothing of the hard labels"),
    Column("dropout", "Float64", "", "dropout before the last layer"),
    Column("init", "string", "", "initial weights of convolutions and linear layers: default, xavier, kaiming"),
    Column("pretrained", "boolean", "", "whether the student starts from torchvision's pretrained weights"),
    Column("zero_gamma", "boolean", "", "whether the last batch norm of every residual block starts at 0"),
    Column("no_bias_decay", "boolean", "", "whether biases and norms are left out of weight decay"),
    Column("linear_scaling", "boolean", "", "whether lr is multiplied by batch_size / 256"),
    Column("patience", "Int64", "epochs", "early stopping: epochs without a better monitor; 0 is off"),
    Column("monitor", "string", "", "accuracy or loss, on held-out images; under published on test images: biased"),
    Column("protocol", "string", "", "holdout: a validation split selects; published: test tracked, biased"),
    Column("precision", "string", "", "float32 or bf16 (autocast; weights and losses stay float32)"),
    Column("seed", "Int64", "", "seed of initialisation and of the stream of images"),
)

RUN_COLUMNS = (
    Column("spec_id", "string", "", "name of the run: hash of everything that determines it"),
    Column("status", "string", "", "finished, running, stopped (by a scheduler), failed, lost or unfinished"),
    Column("attempts", "Int64", "", "times the run was begun or resumed"),
    *SPEC_COLUMNS,
    Column("hard_weight", "Float64", "", "weight of the cross-entropy with the labels (at the last epoch)"),
    Column("soft_weight", "Float64", "", "weight of the distance to the teacher (at the last epoch)"),
    Column("epochs_run", "Int64", "epochs", "passes over the training split that were made"),
    Column("validation_accuracy_last", "Float64", "", "held-out accuracy after the last epoch"),
    Column("validation_accuracy_best", "Float64", "", "held-out accuracy at its best epoch"),
    Column("test_accuracy_last", "Float64", "", "test accuracy after the last epoch"),
    Column(
        "test_accuracy_best", "Float64", "", "test accuracy at its own best epoch: biased, selected on the test set"
    ),
    Column("test_accuracy_at_best_validation", "Float64", "", "test accuracy at the best epoch by validation"),
    Column(
        "teacher_agreement",
        "Float64",
        "",
        "share of the test images that student and teacher give one class; the last epoch",
    ),
    Column(
        "latency_seconds",
        "Float64",
        "s",
        "one image through the trained student on the run's device: median, other runs beside it",
    ),
    Column("train_seconds", "Float64", "s", "time in training steps and evaluation, over all attempts"),
    Column(
        "teacher_seconds", "Float64", "s", "time this run spent computing the teacher's logits for itself and others"
    ),
    Column("images_per_second", "Float64", "1/s", "training images a second, evaluation left out"),
    Column("parameters", "Int64", "", "trainable parameters of the student"),
    Column("device", "string", "", "what the run ran on"),
    Column("threads", "Int64", "", "CPU threads of the run"),
    Column("gpus", "Float64", "", "share of a GPU that the run held; 0 on a CPU"),
    Column("teacher_fingerprint", "string", "", "hash of the teacher's weights"),
    Column(
        "teacher_saw_validation", "string", "", "no, yes or unknown: whether the teacher trained on the held-out images"
    ),
    Column("data_fingerprint", "string", "", "hash of the data set's arrays"),
    Column("error", "string", "", "why a failed run failed, in one line"),
)

EPOCH_COLUMNS = (
    Column("spec_id", "string", "", "name of the run"),
    Column("epoch", "Int64", "epochs", "passes over the training split so far, from 1"),
    Column("lr", "Float64", "", "learning rate at the epoch's last step"),
    Column("train_loss", "Float64", "", "weighted sum that was minimised, mean over the epoch's images"),
    Column("hard_loss", "Float64", "", "cross-entropy with the labels, mean over the epoch's images"),
    Column(
        "soft_loss",
        "Float64",
        "",
        "distance of kd or of an own method, unweighted (KL for cse), mean over the images",
    ),
    *(
        Column(f"{name}_loss", "Float64", "", f"distance of method {name}, unweighted, mean over the epoch's images")
        for name in METHODS
        if not softened(name)
    ),
    Column("train_accuracy", "Float64", "", "accuracy on the training images as they went by"),
    Column("validation_loss", "Float64", "", "cross-entropy on the held-out images"),
    Column("validation_accuracy", "Float64", "", "accuracy on the held-out images"),
    Column("test_loss", "Float64", "", "cross-entropy on the test images"),
    Column("test_accuracy", "Float64", "", "accuracy on the test images"),
    Column("teacher_agreement", "Float64", "", "share of the test images that student and teacher give one class"),
    Column("peer_test_accuracy", "Float64", "", "accuracy of mutual learning's second student on the test images"),
    Column("epoch_seconds", "Float64", "s", "time of the epoch with its evaluation, without waiting for the teacher"),
    Column("images_per_second", "Float64", "1/s", "training images a second, evaluation left out"),
)


def hyperparameters(method: str, given: Mapping[str, float]) -> str:
    """What the column ``hyperparameters`` holds of a run: what its methods declare, or were given instead, as JSON."""
    return json.dumps({**declared(method), **given}, sort_keys=True)


def default_of(name: str) -> Any:
    """The default of a column of the spec, as the tables hold it, or of a hyperparameter METHOD.NAME; None: none."""
    if "." in name:
        return all_hyperparameters().get(name)
    value = DEFAULTS.get(name)
    if isinstance(value, list | tuple | dict):
        return json.dumps(value)
    return None if value == "" else value


def weighed(method: str) -> tuple[str, ...]:
    """The terms of a method that mode, T, alpha and the convention concern: kd's of kd+at."""
    return tuple(term for term in terms(method) if softened(term))


def describe(columns: tuple[Column, ...]) -> str:
    """The columns as a Markdown table."""
    rows = [f"| `{c.name}` | {c.dtype} | {c.unit} | {c.meaning} |" for c in columns]
    return "\n".join(["| column | type | unit | meaning |", "|---|---|---|---|", *rows])
