"""Ctrl-C ends a program once; what then ends it well is not broken off, and a library cannot make it deaf."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

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


def test_one_that_a_library_has_swallowed_comes_again() -> None:
    def goes_on() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            press()
        time.sleep(10)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), heard_once():
        goes_on()
    assert time.monotonic() - began < 5


class Callback:
    def __del__(self) -> None:
        press()


def test_nor_does_python_tell_where_it_was_swallowed(capfd: pytest.CaptureFixture[str]) -> None:
    def goes_on() -> None:
        Callback()
        time.sleep(10)

    with pytest.raises(KeyboardInterrupt), heard_once():
        goes_on()
    assert capfd.readouterr().err == ""


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
