"""Flags for the fields of a spec, from a table; errors of one line with the nearest flag. No Ray, no torch."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from kd_trainable.interrupts import INTERRUPTED, heard_once
from kd_trainable.methods import METHODS
from kd_trainable.rules import FLOATS, INTEGERS
from kd_trainable.terms import all_hyperparameters
from kd_trainable.tuning.space import Between
from kd_trainable.values import BOOLEANS
from kd_trainable.vocabulary import InputError, nearest, printable, without_secrets

SWEPT = {
    "temperature": ("T", "softening T of teacher and student; LOW:HIGH[:log] is a range for a searcher, "
                    "[[0,1],[10,4]] one that changes at an epoch"),
    "alpha": ("A", "balance of hard labels and teacher, read by --convention"),
    "mode": ("MODE", "distance to the teacher: cse kl mse logit_mse"),
    "student": ("NAME", "network, or package.module:callable"),
    "method": ("NAME", f"{' '.join(METHODS)}, several joined by +; none; or package.module:callable"),
    "convention": ("NAME", "how alpha and T weigh the losses: hinton unscaled additive hard_lambda"),
    "control": ("NAME", "negative control: none shuffled-teacher uniform-teacher"),
    "peer": ("NAME", "network of dml's second student; default: the student's"),
    "optimizer": ("NAME", "sgd adam adamw adadelta"),
    "lr": ("LR", "learning rate at its highest"),
    "momentum": ("M", "momentum of sgd"),
    "rho": ("R", "decay of adadelta's averages"),
    "weight-decay": ("WD", "weight decay"),
    "no-bias-decay": ("true|false", "leave biases and norms out of weight decay"),
    "linear-scaling": ("true|false", "multiply lr by batch size / 256"),
    "schedule": ("NAME", "constant multistep step cosine one_cycle plateau"),
    "step-epochs": ("N", "step multiplies the rate by gamma every so many epochs"),
    "plateau-patience": ("N", "plateau does so after so many epochs without a better --monitor"),
    "gamma": ("G", "factor of multistep, step and plateau"),
    "warmup-epochs": ("N", "linear warm-up"),
    "batch-size": ("N", "images a step"),
    "augment": ("NAME", "none flip crop4 crop4+flip"),
    "random-erasing": ("P", "share of the training images with an erased box; 0 is off"),
    "cutout": ("PIXELS", "side of the square cut out of every training image; 0 is off"),
    "mixup": ("A", "parameter of mixup's Beta distribution; 0 is off"),
    "label-smoothing": ("S", "smoothing of the hard labels"),
    "dropout": ("P", "dropout before the last layer"),
    "init": ("NAME", "initial weights: default xavier kaiming"),
    "pretrained": ("true|false", "start the student from torchvision's pretrained weights"),
    "zero-gamma": ("true|false", "start the last batch norm of every residual block at 0"),
    "patience": ("N", "early stopping after so many epochs without a better --monitor; 0 is off"),
    "monitor": ("NAME", "what patience and plateau look at: accuracy loss"),
    "precision": ("NAME", "float32 bf16"),
    "normalization": ("NAME", "mean and std of pixels: dataset, or another of the data set's"),
}  # fmt: skip

SINGLE = {
    "dataset": ("NAME", "data set, or package.module:callable"),
    "epochs": ("N", "passes over the training images"),
    "protocol": ("NAME", "holdout: a validation split selects; published: all images train, the test set is tracked"),
}


OF_STUDENTS = ("temperature", "alpha", "mode", "student", "method", "convention", "control", "peer")


class Parser(argparse.ArgumentParser):
    """argparse whose error is one line, with the nearest flag where one is unknown."""

    def error(self, message: str) -> NoReturn:
        found = re.search(r"unrecognized arguments: (\S+)", message)
        if found:
            message += nearest(found[1], self._option_string_actions)
        raise InputError(message)


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help as wide as a README, 'T ...' for several values."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=118)

    def _format_args(self, action: argparse.Action, default_metavar: str | None) -> str:
        several = action.nargs == "+"
        return f"{action.metavar} ..." if several else super()._format_args(action, default_metavar or "")


def parser_of(name: str, doc: str) -> Parser:
    """The parser of a script about one run: a flag for every field that says how it is trained."""
    parser = Parser(
        prog=f"{name}.py",
        description=doc.strip(),
        usage=f"python sweeps/{name}.py [flags]",
        formatter_class=Formatter,
        allow_abbrev=False,
    )
    group = parser.add_argument_group("the recipe")
    for flag, (metavar, text) in {**SINGLE, **SWEPT}.items():
        if flag not in OF_STUDENTS:
            group.add_argument(f"--{flag}", metavar=metavar, help=text)
    add_lists(group)
    return parser


def add_lists(group: argparse._ArgumentGroup) -> None:
    """The flags that are neither a number nor a name."""
    group.add_argument("--nesterov", action=argparse.BooleanOptionalAction, help="Nesterov momentum for sgd")
    group.add_argument("--milestones", nargs="+", metavar="EPOCH", help="epochs at which multistep lowers the rate")
    text = "make the optimizer anew at each milestone, momentum and all"
    group.add_argument("--fresh-optimizer", action=argparse.BooleanOptionalAction, help=text)
    text = "features to compare, module paths; PATH/input is what a module is given (default: the method's own)"
    group.add_argument("--taps", nargs="+", metavar="[METHOD=]STUDENT[:TEACHER]", help=text)
    text = "hyperparameters of a method of one's own"
    group.add_argument("--hyperparameters", nargs="+", metavar="NAME=VALUE", help=text)


def add_hyperparameters(parser: argparse.ArgumentParser) -> None:
    """A flag for every hyperparameter of the table of methods: ``--at.weight 500 1000``."""
    group = parser.add_argument_group("hyperparameters of methods (several values sweep one)")
    for name, default in all_hyperparameters().items():
        group.add_argument(f"--{name}", nargs="+", metavar="V", help=f"default: {default:g}")


def fields_of(given: argparse.Namespace) -> dict[str, Any]:
    """The fields of a spec that a command line gave, one value each."""
    fields: dict[str, Any] = {}
    for flag in {**SINGLE, **SWEPT}:
        name = flag.replace("-", "_")
        text = getattr(given, name, None)
        if isinstance(text, str):
            fields[name] = value_of(name, text)
    for name in ("nesterov", "fresh_optimizer"):
        if (given_value := getattr(given, name)) is not None:
            fields[name] = given_value
    if given.hyperparameters is not None:
        fields["hyperparameters"] = _named_numbers(given, given.hyperparameters)
    if given.taps is not None:
        fields["taps"] = list(given.taps)
    if given.milestones is not None:
        fields["milestones"] = [number_of("milestones", text, int) for text in given.milestones]
    return fields


def _named_numbers(given: argparse.Namespace, texts: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, number in map(_named_number, texts):
        if name in found or getattr(given, name, None) is not None:
            raise InputError(f"hyperparameters: {name} is given more than once; give it once")
        found[name] = number
    return found


def _named_number(text: str) -> tuple[str, float]:
    name, mark, number = text.partition("=")
    if not mark:
        raise InputError(f"hyperparameters: {text!r} is not allowed; must be NAME=VALUE")
    return name, number_of(name, number, float)


def value_of(name: str, text: str) -> Any:
    """A flag's text as the value of a field: a number, a name, a schedule or a range."""
    if name in BOOLEANS and text.lower() in ("true", "false"):
        return text.lower() == "true"
    number = name in FLOATS or "." in name
    if number and text.startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            raise InputError(f"{name}: {text!r} is not allowed; a schedule is [[0, value], [epoch, value]]") from None
    if number and ":" in text:
        low, _, rest = text.partition(":")
        high, _, scale = rest.partition(":")
        if scale not in ("", "log"):
            raise InputError(f"{name}: {text!r} is not allowed; a range is LOW:HIGH or LOW:HIGH:log")
        return Between(number_of(name, low, float), number_of(name, high, float), scale == "log")
    if number:
        return number_of(name, text, float)
    return number_of(name, text, int) if name in INTEGERS else text


def number_of(name: str, text: str, kind: type) -> Any:
    """A flag's text as a number, or InputError."""
    try:
        return kind(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise InputError(f"{name}: {text!r} is not allowed; must be {what}") from None


def run_script(name: str, work: Callable[[], None], stopped: str = "stopped") -> None:
    """Runs a script that is no sweep; what is wrong is one line and status 2, Ctrl-C the line ``stopped`` and 130."""
    with heard_once():
        try:
            work()
        except InputError as error:
            fail(name, error)
        except KeyboardInterrupt:
            print(f"\n{stopped}", file=sys.stderr)
            sys.exit(INTERRUPTED)


def fail(name: str, message: object) -> NoReturn:
    """Ends the program with one line on stderr and status 2."""
    print(f"{name}: error: {printable(without_secrets(' '.join(str(message).split())))}", file=sys.stderr)
    sys.exit(2)
