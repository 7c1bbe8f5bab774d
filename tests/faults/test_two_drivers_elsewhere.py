"""Two drivers on one S3 folder, which has no locks: the second is refused; of one that was killed, it takes over."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sweeping
from ledger import Outcome, Snapshot, record
from object_store import object_store

from kd_trainable.tuning.lease import BEAT_S, DEAD_S
from kd_trainable.tuning.store import Storage

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]
SLOW = 0.03  # seconds a step sleeps: so long that a sweep outlasts what is done beside it


@pytest.fixture
def results() -> Iterator[str]:
    with object_store() as uri:
        yield uri


def test_the_second_is_refused_and_a_killed_ones_successor_goes_on(results: str, undisturbed: Path) -> None:
    before = sweeping.traces()
    first = sweeping.start(results, sleep=SLOW)
    sweeping.in_the_middle(results, first)
    refused = sweeping.finish(sweeping.start(results))
    assert (refused.returncode, refused.stdout) == (2, "")
    watching, refusal = refused.stderr.splitlines()
    who = rf"host {re.escape(os.uname().nodename)}, pid {first.pid}"
    assert re.fullmatch(rf"storage: s3://\S+ has a driver \({who}\) or had one that was killed; watching .*", watching)
    assert re.fullmatch(
        rf"digits_grid.py: error: storage: s3://\S+ is in use by another sweep \({who}\); wait for it, or stop it",
        refusal,
    )
    assert first.poll() is None
    first.kill()
    first.communicate()
    earlier, began = Snapshot.of(results), time.monotonic()
    ended = sweeping.finish(sweeping.start(results, sleep=0.0))
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    assert f"watching it for {DEAD_S:g} s" in ended.stderr
    assert time.monotonic() - began > DEAD_S
    later = Snapshot.of(results)
    outcome = Outcome(
        "the driver of a sweep on S3 killed, the same command begun at once, as it would be on another machine",
        1,
        len(earlier.lost(later)),
        len(earlier.repeated(later)),
        sweeping.same_table(results, undisturbed),
        sweeping.left_behind(before),
        f"the second driver is refused while the first lives, and takes over {DEAD_S:g} s after its last sign of life",
    )
    record(outcome)
    assert earlier.finished
    assert outcome.harmless
    assert "driver.json" not in Storage(results).names("")  # whoever comes next need not wait


def test_a_driver_that_was_away_finds_a_successor_and_stops(results: str, undisturbed: Path) -> None:
    """As a suspended laptop: it comes back in the middle of its successor's sweep."""
    before = sweeping.traces()
    first = sweeping.start(results, sleep=SLOW)
    sweeping.in_the_middle(results, first)
    first.send_signal(signal.SIGSTOP)
    earlier = Snapshot.of(results)
    lease = Storage(results).read("driver.json")
    second = sweeping.start(results, sleep=SLOW)
    sweeping.wait_for(lambda: _token(results) not in (None, _token_of(lease)), second)
    first.send_signal(signal.SIGCONT)
    stopped = sweeping.finish(first, 6 * BEAT_S + 60)
    ended = sweeping.finish(second)
    assert (stopped.returncode, "Traceback" in stopped.stderr) == (2, False), stopped.stderr
    wanted = (
        rf"error: storage: s3://\S+ was taken over by another driver \(host \S+, pid {second.pid}\); this one stops"
    )
    assert re.search(wanted, stopped.stderr), stopped.stderr
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    later = Snapshot.of(results)
    outcome = Outcome(
        "two drivers at once on S3: the first suspended until a second took over, then woken",
        1,
        len(earlier.lost(later)),
        len(earlier.repeated(later)),
        sweeping.same_table(results, undisturbed),
        sweeping.left_behind(before),
        "the first stops at its next beat",
    )
    record(outcome)
    assert outcome.harmless


def _token(results: str) -> object:
    return _token_of(Storage(results).read("driver.json"))


def _token_of(content: bytes | None) -> object:
    found = re.search(rb'"token": "(\w+)"', content or b"")
    return found and found[1]
