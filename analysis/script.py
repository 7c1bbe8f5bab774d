"""What every script of this folder does around its own work: text out, one line for what is wrong."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

from kd_trainable.vocabulary import InputError


class Parser(argparse.ArgumentParser):
    """argparse whose error is one line."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def run(work: Callable[[str], str], usage: str, arguments: list[str]) -> int:
    """Prints what ``work`` makes of the one argument; 2 and one line on stderr where that cannot be done."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(f"usage: {usage}", file=sys.stderr)
        return 2
    return printed(lambda: work(arguments[0]))


def printed(work: Callable[[], str]) -> int:
    """Prints what ``work`` makes; 2 and one line on stderr where that cannot be done."""
    try:
        print(work(), end="")
    except (InputError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0
