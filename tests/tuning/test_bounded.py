"""Requests in threads of their own: an end is heard of whatever interrupts, and none is waited for that never began."""

from __future__ import annotations

import signal
import threading

import pytest

from kd_trainable.tuning import bounded


def test_the_answer_or_the_error() -> None:
    assert bounded.bounded(lambda: 7, 5.0) == 7
    with pytest.raises(ZeroDivisionError):
        bounded.bounded(lambda: 1 // 0, 5.0)


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeoutError])
def test_one_that_goes_on_is_known_to_until_it_ends(error: type[BaseException]) -> None:
    """After a Ctrl-C in Thread.join, CPython up to 3.12 says of a thread that runs that it does not."""
    going_on, given_up = threading.Event(), list[threading.Event]()

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1 if error is KeyboardInterrupt else 0)
    try:
        with pytest.raises(error):
            bounded.bounded(going_on.wait, 60.0 if error is KeyboardInterrupt else 0.1, given_up.append)
    finally:
        signal.signal(signal.SIGALRM, before)
    (ended,) = given_up
    assert not ended.is_set()
    assert ended in bounded._under_way
    going_on.set()
    assert ended.wait(5.0)
    assert ended not in bounded._under_way


def test_one_that_has_no_thread_never_began(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    given_up = list[threading.Event]()
    monkeypatch.setattr(threading.Thread, "start", none)
    before = set(bounded._under_way)
    with pytest.raises(RuntimeError):
        bounded.bounded(lambda: 7, 5.0, given_up.append)
    assert (given_up, bounded._under_way) == ([], before)
