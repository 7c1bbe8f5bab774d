"""Ctrl-C ends a program once; what then ends it well is not broken off, and a library cannot make it deaf."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from kd_trainable import interrupts
from kd_trainable.interrupts import heard_once, leaving_at_once


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_second_one_does_not_break_off_the_end() -> None:
    ended = []

    def interrupted() -> None:
        try:
            press()
        finally:
            press()
            ended.append("well")

    with pytest.raises(KeyboardInterrupt), heard_once():
        interrupted()
    assert ended == ["well"]
    press()  # nor one that comes while Python itself ends


def test_one_that_a_library_has_swallowed_can_be_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "DEAF_S", 0.0)
    with heard_once():
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                press()


def test_without_one_the_handler_of_before_is_back() -> None:
    with heard_once():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with leaving_at_once():  # in a notebook, say: not ours to end
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_while_libraries_load_it_ends_the_program_at_once() -> None:
    program = (
        "import os, signal\n"
        "from kd_trainable.interrupts import heard_once, leaving_at_once\n"
        "with heard_once(), leaving_at_once():\n"
        "    try: os.kill(os.getpid(), signal.SIGINT)\n"
        "    except BaseException: pass\n"
        "    print('goes on')\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (said.returncode, said.stdout, said.stderr) == (130, "", "\nstopped\n")
