"""What every script of this folder does around its own work: text out, one line for what is wrong."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from analysis import places
from kd_trainable.vocabulary import InputError, printable, without_secrets


class Parser(argparse.ArgumentParser):
    """argparse whose error is one line; ``prog`` is the command as a person types it."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see {self.prog} --help")


HELP = ("-h", "--help")


def run(work: Callable[[str], str], usage: str, about: str, arguments: list[str]) -> int:
    """Prints what ``work`` makes of the one argument; 2 and one line on stderr where that cannot be done.

    ``about``: what the script does, a line or two, which --help prints below the usage.
    """
    if set(HELP) & set(arguments):
        print(f"usage: {usage}\n\n{about.strip()}")
        return 0
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(f"usage: {usage}", file=sys.stderr)
        return 2
    return printed(lambda: work(arguments[0]))


def written(folder: str, names: Sequence[str]) -> str:
    """The lines that say where files lie, of those of ``names`` that are there; those of an earlier time are not."""
    files, path = places.located(folder)
    there = [name for name in names if files.get_file_info(f"{path}/{name}").is_file]
    return "\nwritten:\n" + "".join(f"  {places.below(folder, name)}\n" for name in there)


def printed(work: Callable[[], str]) -> int:
    """Prints what ``work`` makes; 2 and one line on stderr where that cannot be done."""
    try:
        print(printable(without_secrets(work())), end="")
    except (InputError, OSError) as error:
        print(f"error: {printable(without_secrets(' '.join(str(error).split())))}", file=sys.stderr)
        return 2
    return 0
