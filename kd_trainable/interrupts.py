"""Ctrl-C, heard once and said in one line: also while libraries still load, also when it comes again.

Every entry of this software is imported seconds before it can catch anything, and needs seconds to end well.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType, TracebackType

INTERRUPTED = 130  # the exit status that shells give a program that Ctrl-C has ended

_shown_by_others = sys.excepthook


def say_stopped() -> None:
    """Has a KeyboardInterrupt that nobody catches end a program with a line, not with where it happened to be."""
    sys.excepthook = _show


@contextlib.contextmanager
def heard_once() -> Iterator[None]:
    """The first Ctrl-C in the block raises KeyboardInterrupt; no later one breaks off what then ends the program."""
    before = signal.getsignal(signal.SIGINT)
    try:
        signal.signal(signal.SIGINT, _raise_once)
    except ValueError:  # not the main thread, which alone may set handlers
        yield
        return
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is _raise_once:
            signal.signal(signal.SIGINT, before)


def _raise_once(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt) or hasattr(sys, "ps1"):  # a prompt of Python's goes on
        _shown_by_others(kind, error, trace)
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("\nstopped", file=sys.stderr)
    sys.exit(INTERRUPTED)
