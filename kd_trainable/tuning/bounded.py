"""A request in a thread of its own, which no Ctrl-C reaches, waited for only so long.

Its end is told by an Event: a Ctrl-C in ``Thread.join`` makes CPython up to 3.12 take a thread that runs for one that
has ended (gh-90882), and what it was changing would then arrive after what was written since.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from pyarrow import fs

from kd_trainable.tuning.text import duration

T = TypeVar("T")
SILENT_S = 10.0  # without a byte, a request is given up
_under_way: set[threading.Event] = set()  # of requests that have not ended


def bounded(
    request: Callable[[], T], seconds: float, given_up: Callable[[threading.Event], None] = lambda ended: None
) -> T:
    """The request's answer. Raises TimeoutError after these seconds; it then goes on, unheeded, in its thread.

    ``given_up`` is told what is set when that ends, also where an exception, such as Ctrl-C, comes before it.
    """
    answers: list[T] = []
    errors: list[BaseException] = []
    ended = threading.Event()

    def run() -> None:
        try:
            answers.append(request())
        except BaseException as error:
            errors.append(error)
        finally:
            _under_way.discard(ended)
            ended.set()

    try:
        _under_way.add(ended)
        threading.Thread(target=run, name="request to a store", daemon=True).start()
        ended.wait(seconds)
    except RuntimeError:  # no thread is to be had, and so nothing is under way
        _under_way.discard(ended)
        ended.set()
        raise
    finally:
        if not ended.is_set():  # out of time, or interrupted
            given_up(ended)
    for error in errors:
        raise error
    if not answers:
        raise TimeoutError(f"a request did not end in {duration(seconds)}")
    return answers[0]


@atexit.register
def _leave() -> None:
    """Without pyarrow's farewell where a request that was given up does not end: it would wait for that for ever."""
    until = time.monotonic() + SILENT_S
    if not all(ended.wait(max(0.0, until - time.monotonic())) for ended in list(_under_way)):
        atexit.unregister(fs.ensure_s3_finalized)
