"""Moves the clock of every Python process that has this folder on its path, by the seconds that a file says just now.

Python imports a module of this name as it starts. Debian's libfaketime would move the clocks of programs in C too,
but where it leaves the steady clock alone, as a jump does, its 0.9.10 breaks Python's own ``time.sleep`` (EINVAL).
"""

import os
import time

OFFSET = "KD_TEST_CLOCK_OFFSET"  # a file that holds seconds
_SECOND = 1_000_000_000
_true = time.time_ns


def _moved() -> int:
    try:
        with open(os.environ[OFFSET], "rb") as file:
            return _true() + int(file.read() or 0) * _SECOND
    except (OSError, ValueError):  # the file is being written just now
        return _true()


def _moved_seconds() -> float:
    return _moved() / _SECOND


if OFFSET in os.environ:
    time.time_ns, time.time = _moved, _moved_seconds
