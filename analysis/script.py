"""What every script of this folder does around its own work: one argument in, text out, one line for what is wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable

from kd_trainable.vocabulary import InputError


def run(work: Callable[[str], str], usage: str, arguments: list[str]) -> int:
    """Prints what ``work`` makes of the one argument; 2 and one line on stderr where that cannot be done."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(f"usage: {usage}", file=sys.stderr)
        return 2
    try:
        print(work(arguments[0]), end="")
    except (InputError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0
