"""The command line of a sweep: presets, and flags over their values. No Ray, no torch."""

from __future__ import annotations

import argparse
import os
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kd_trainable.rules import refuse
from kd_trainable.terms import all_hyperparameters
from kd_trainable.tuning.flags import (
    SINGLE,
    SWEPT,
    Formatter,
    Parser,
    add_hyperparameters,
    add_lists,
    fields_of,
    number_of,
    value_of,
)
from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.space import Between, Block, Space
from kd_trainable.vocabulary import InputError, require_known


@dataclass(frozen=True)
class Preset:
    """A ready sweep: fixed fields, blocks of swept ones, seeds, and the recipe of its teacher."""

    about: str
    fields: Mapping[str, Any]
    blocks: Sequence[Block] = ({},)
    seeds: Sequence[int] = (0,)
    teacher_recipe: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What a command line asks for."""

    name: str
    space: Space
    settings: Settings
    dry_run: bool
    command: str
    question: str


def parse(name: str, doc: str, presets: Mapping[str, Preset], argv: Sequence[str]) -> Asked:
    """What ``argv`` asks of a sweep. Raises InputError in one line; prints help and exits for --help."""
    given = _parser(name, doc, presets).parse_args(argv)
    require_known("preset", given.preset, presets)
    space, settings = _question(presets[given.preset], given)
    again = [text for text in argv if text != "--rerun"]  # which would forget what an interrupted sweep has done
    python = os.path.relpath(sys.executable) if sys.prefix != sys.base_prefix else "python"
    script = sys.argv[0] if os.path.basename(sys.argv[0]) == f"{name}.py" else f"sweeps/{name}.py"
    command = " ".join([python, os.path.relpath(script), *map(_quoted, again)])
    return Asked(given.name or name, space, settings, given.dry_run, command, doc.strip())


def _parser(name: str, doc: str, presets: Mapping[str, Preset]) -> Parser:
    width = max(map(len, presets)) + 2
    about = "\n".join(
        textwrap.fill(p.about, 118, initial_indent=f"  {preset:<{width}}", subsequent_indent=" " * (width + 2))
        for preset, p in presets.items()
    )
    parser = Parser(
        prog=f"{name}.py",
        description=f"{doc.strip()}\n\npresets (flags override their values):\n{about}",
        usage=f"python sweeps/{name}.py [--preset NAME] [--dry-run] [flags]",
        formatter_class=Formatter,
        allow_abbrev=False,
    )
    space = parser.add_argument_group("what is asked (several values sweep a field)")
    space.add_argument("--preset", default=next(iter(presets)), metavar="NAME", help="default: %(default)s")
    for flag, (metavar, text) in SWEPT.items():
        space.add_argument(f"--{flag}", nargs="+", metavar=metavar, help=text)
    add_lists(space)
    for flag, (metavar, text) in SINGLE.items():
        space.add_argument(f"--{flag}", metavar=metavar, help=text)
    space.add_argument("--seeds", nargs="+", metavar="S", help="replicates: every cell runs on each seed")
    space.add_argument("--no-baselines", action="store_true", help="leave the undistilled runs out")
    add_hyperparameters(parser)
    _add_teacher(parser)
    _add_execution(parser)
    return parser


def _add_teacher(parser: Parser) -> None:
    group = parser.add_argument_group("teacher and data")
    group.add_argument(
        "--teacher", metavar="FILE", help="a teacher's folder or weights file; default: train and keep one"
    )
    group.add_argument(
        "--teacher-model", metavar="NAME", help="the network of --teacher, when that is a plain state_dict"
    )
    group.add_argument("--teacher-epochs", metavar="N", help="train the preset's teacher for so many epochs")
    group.add_argument(
        "--data-dir", metavar="DIR", help="a folder that holds the data already; default: a cache, downloaded into"
    )


def _add_execution(parser: Parser) -> None:
    group = parser.add_argument_group("how it is run (never part of a run's name)")
    group.add_argument(
        "--storage",
        metavar="DIR|URI",
        help="results folder (default: results), or s3://BUCKET/FOLDER, gs://BUCKET/FOLDER, file:///FOLDER that all "
        "nodes share: on a cluster, one of these",
    )
    group.add_argument("--name", metavar="NAME", help="name of the sweep's folder in it (default: the script's)")
    group.add_argument("--searcher", metavar="NAME", help="grid (default), random, optuna (TPE)")
    group.add_argument("--num-samples", metavar="N", help="cells that random or optuna try, each on all seeds")
    group.add_argument(
        "--scheduler",
        metavar="NAME",
        help="none (default), asha (stops single runs: a cell may keep some of its seeds)",
    )
    group.add_argument("--select-on-test", action="store_true", help="let a searcher or scheduler look at the test set")
    group.add_argument("--cpus-per-trial", metavar="N", help="CPUs, and threads, of a run (default: 1)")
    group.add_argument(
        "--gpus-per-trial", metavar="F", help="GPUs of a run, in parts too (default: 0.25 where there are any)"
    )
    group.add_argument("--max-concurrent", metavar="N", help="runs at a time (default: as many as fit)")
    group.add_argument("--retries", metavar="N", help="for runs whose worker died (default: 3)")
    group.add_argument(
        "--address",
        metavar="ADDR",
        help="a Ray cluster: auto on its head, or host:port (default: this machine); on Slurm: sbatch "
        "docs/cluster/slurm.sh and this command; see docs/cluster.md",
    )
    group.add_argument(
        "--log",
        nargs="+",
        metavar="NAME",
        help="where runs are shown beside the tables: tensorboard (default), mlflow, wandb; or none",
    )
    group.add_argument("--rerun", action="store_true", help="run again what is done already")
    group.add_argument(
        "--dry-run", action="store_true", help="print the runs and an estimate of their cost; start nothing"
    )


def _question(preset: Preset, given: argparse.Namespace) -> tuple[Space, Settings]:
    fields, blocks = dict(preset.fields), [dict(block) for block in preset.blocks]
    for name in [*(flag.replace("-", "_") for flag in SWEPT), *all_hyperparameters()]:
        if (texts := getattr(given, name)) is not None:
            _override(name, [value_of(name, text) for text in texts], fields, blocks)
    fields |= fields_of(given)
    seeds = preset.seeds if given.seeds is None else [number_of("seed", text, int) for text in given.seeds]
    space = Space(fields, blocks, seeds, not given.no_baselines)
    return space, _settings(preset, given)


def _override(name: str, values: list[Any], fields: dict[str, Any], blocks: list[dict[str, Any]]) -> None:
    """Puts a flag's values in place of the preset's: one value is fixed, several or a range are swept."""
    swept: Any = values[0] if len(values) == 1 and isinstance(values[0], Between) else values
    if len(values) > 1 and any(isinstance(v, Between) for v in values):
        raise InputError(f"{name}: a range stands alone, not beside other values")
    for block in blocks:
        block.pop(name, None)
        if isinstance(swept, Between) or len(swept) > 1:
            block[name] = swept
    fields.pop(name, None)
    if not isinstance(swept, Between) and len(swept) == 1:
        fields[name] = swept[0]


SETTING_TYPES = {
    "num_samples": int,
    "cpus_per_trial": int,
    "max_concurrent": int,
    "retries": int,
    "gpus_per_trial": float,
}


def _settings(preset: Preset, given: argparse.Namespace) -> Settings:
    recipe = dict(preset.teacher_recipe)
    if given.teacher_epochs is not None:
        recipe["epochs"] = number_of("teacher_epochs", given.teacher_epochs, int)
        if recipe["epochs"] < 1:
            raise refuse("teacher_epochs", recipe["epochs"], "must be a whole number >= 1")
    chosen: dict[str, Any] = {"teacher_recipe": recipe}
    for name in Settings.__dataclass_fields__.keys() - chosen.keys():
        value = getattr(given, name)
        if value is not None and value is not False:
            kind = SETTING_TYPES.get(name)
            chosen[name] = number_of(name, value, kind) if kind else value
    return Settings(**chosen)


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[\w@%+=:,./-]+", text) else "'" + text.replace("'", "'\\''") + "'"
