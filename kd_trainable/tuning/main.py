"""What a sweep script calls: the command line, the sweep, its tables and picture, how to go on when interrupted."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from kd_trainable.interrupts import INTERRUPTED, heard_once
from kd_trainable.resolve import find_own
from kd_trainable.tuning.about import Origin
from kd_trainable.tuning.command import Asked, Preset, parse
from kd_trainable.tuning.flags import fail
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError, printable, without_secrets

Finish = Callable[[str], str]
"""a sweep's folder -> the text of its table, after writing what it makes into that folder"""

SHOWN_BY_OTHERS = ("optuna.journal", "tensorboard", "mlflow.db")  # optuna-dashboard FILE, tensorboard --logdir FOLDER


def main(name: str, doc: str, presets: Mapping[str, Preset], finish: Finish, argv: Sequence[str] | None = None) -> None:
    """Runs the sweep that ``argv`` asks for. The first preset is the default. Exit status: 0 when every run finished or
    was stopped by the scheduler, 1 when some failed, 2 for bad input, 130 when interrupted."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is loaded: spinning threads fight over cores
    with heard_once():
        _main(name, doc, presets, finish, sys.argv[1:] if argv is None else argv)


def _main(name: str, doc: str, presets: Mapping[str, Preset], finish: Finish, argv: Sequence[str]) -> None:
    try:
        asked = parse(name, doc, presets, argv)
        find_own(own_names(asked))
        if asked.dry_run:
            from kd_trainable.tuning.estimate import dry_run

            print(dry_run(asked.name, asked.space, asked.settings))
            return
        runs = _sweep(asked)
        print(printable(finish(Storage(asked.settings.storage).path("sweeps", asked.name))))
        sys.exit(_report(asked, runs))
    except InputError as error:
        fail(f"{name}.py", error)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of our output, head say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        fail(f"{name}.py", f"storage: {asked.settings.storage}: {' '.join(str(error).split())}")


def own_names(asked: Asked) -> list[object]:
    """All that a command line, or its preset, calls by a name that may be a person's own code."""
    space, settings = asked.space, asked.settings
    swept = [value for field in ("dataset", "student", "peer", "method") for value in space.values(field)]
    recipe = [settings.teacher_recipe.get(field, "") for field in ("dataset", "student")]
    return [*swept, *recipe, settings.teacher_model or ""]


def _sweep(asked: Asked) -> pd.DataFrame:
    from kd_trainable.tuning.sweep import run

    try:
        origin = Origin(asked.question, asked.command)
        return run(
            asked.name, asked.space, asked.settings, lambda line: print(line, file=sys.stderr, flush=True), origin
        )
    except KeyboardInterrupt:
        print(f"\nstopped; nothing is lost. To go on: {without_secrets(asked.command)}", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _report(asked: Asked, runs: pd.DataFrame) -> int:
    """Prints where everything lies; the exit status."""
    storage = Storage(asked.settings.storage)
    folder = f"sweeps/{asked.name}"
    print("\nwritten:")
    for file in storage.names(folder):
        if file.endswith((".parquet", ".md", ".png")) or file in SHOWN_BY_OTHERS:
            print(f"  {storage.shown(folder, file)}")
    if storage.local and "mlflow.db" in storage.names(folder):
        database = Path(storage.path(folder, "mlflow.db")).absolute()
        print(f"to look into mlflow.db: pip install mlflow; mlflow ui --backend-store-uri sqlite:///{database}")
    bad = runs[~runs["status"].isin(["finished", "stopped"])]
    if len(bad):
        counts = ", ".join(f"{n} {status}" for status, n in bad["status"].value_counts().items())
        again = without_secrets(asked.command)
        error = bad["error"].dropna().iloc[0] if bad["error"].notna().any() else ""
        print(printable(f"{counts}: {error}"), file=sys.stderr)
        print(f"to try again those that were lost, unfinished or raised an error: {again}", file=sys.stderr)
    return 1 if len(bad) else 0
