"""Ctrl-C, heard once and said in one line: also while libraries still load, also when it comes again.

Every entry of this software is imported seconds before it can catch anything, and needs seconds to end well.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

INTERRUPTED = 130  # the exit status that shells give a program that Ctrl-C has ended

AGAIN_S = 0.3  # after which a Ctrl-C by which nothing ends is raised again

_shown_by_others = sys.excepthook
_again: threading.Timer | None = None  # that raises it again; None where there was no Ctrl-C


def say_stopped() -> None:
    """Has a KeyboardInterrupt that nobody catches end our own scripts with a line, not with where it happened to be."""
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    if program and Path(program).resolve().is_relative_to(Path(__file__).resolve().parents[1]):
        sys.excepthook = _show


@contextlib.contextmanager
def heard_once() -> Iterator[None]:
    """A Ctrl-C in the block raises KeyboardInterrupt, once: later ones do not break off what then ends the program.

    Where Python swallows it (in a callback of a fork, say), it is raised again, until the program ends.
    """
    global _again
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:  # begun in a shell's background: a Ctrl-C is meant for somebody else
        yield
        return
    try:
        signal.signal(signal.SIGINT, _raise)
    except ValueError:  # not the main thread, which alone may set handlers
        yield
        return
    _again, ignored, sys.unraisablehook = None, sys.unraisablehook, _say_no_swallowed
    try:
        yield
    finally:
        sys.unraisablehook = ignored
        if signal.getsignal(signal.SIGINT) is _raise:
            signal.signal(signal.SIGINT, signal.SIG_IGN if _again else before)
        if _again:
            _again.cancel()


@contextlib.contextmanager
def leaving_at_once() -> Iterator[None]:
    """Within ``heard_once``, while libraries load: some swallow a KeyboardInterrupt, and nothing is there to be ended.

    Seen of a Cython module that patches ``collections.abc``: "Exception ignored in", and the program went on.
    """
    if signal.getsignal(signal.SIGINT) is not _raise:
        yield
        return
    signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, _raise)


def _raise(number: int, frame: FrameType | None) -> None:
    global _again
    if _ending():
        return
    _again = threading.Timer(AGAIN_S, os.kill, (os.getpid(), signal.SIGINT))
    _again.daemon = True
    _again.start()
    raise KeyboardInterrupt


def _ending() -> bool:
    """Whether a KeyboardInterrupt is being handled: in ``finally``, ``except`` or the end of a ``with``."""
    error = sys.exception()
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _say_no_swallowed(ignored: Any) -> None:
    if not issubclass(ignored.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(ignored)


def _leave(number: int, frame: FrameType | None) -> None:
    print("\nstopped", file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(INTERRUPTED)


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt) or hasattr(sys, "ps1"):  # a prompt of Python's goes on
        _shown_by_others(kind, error, trace)
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("\nstopped", file=sys.stderr)
    sys.exit(INTERRUPTED)
