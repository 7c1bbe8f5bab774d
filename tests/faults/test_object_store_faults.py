"""A sweep on S3 while the store errs, stalls or hangs up for a while: it waits, and ends as if nothing was."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sweeping
from ledger import Outcome, Snapshot, record
from object_store import Proxy, faulty, fresh_bucket, object_store

from analysis.places import below
from kd_trainable.tuning.store import Storage

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]
FAULT_S = 15.0
FAULTS = {
    "S3 answers 500 and 503 SlowDown for 15 s": ("500", "503"),
    "S3 accepts requests and answers none for 15 s": ("stall",),
    "S3 hangs up in the middle of uploads and downloads for 15 s": ("cut upload", "cut download"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URI of a bucket on a server that all tests of this file share."""
    with object_store() as uri:
        yield uri


@pytest.fixture
def bucket(server: str) -> str:
    """A fresh bucket, asked without a proxy: by this the test sees what there is."""
    return fresh_bucket(server.partition("endpoint_override=")[2].partition("&")[0])


def disturb(proxy: Proxy, modes: tuple[str, ...]) -> None:
    """The faults by turns, a second each, or one all the time."""
    until, turn = time.monotonic() + FAULT_S, 0
    while time.monotonic() < until:
        proxy.mode = modes[turn % len(modes)]
        turn += 1
        time.sleep(1.0)
    proxy.mode = "ok"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_store_in_trouble(fault: str, bucket: str, undisturbed: Path) -> None:
    before = sweeping.traces()
    with faulty(bucket) as proxy:
        process = sweeping.start(proxy.uri)
        sweeping.in_the_middle(bucket, process)
        earlier = Snapshot.of(bucket)
        disturb(proxy, FAULTS[fault])
        assert process.poll() is None
        ended = sweeping.finish(process)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    assert ended.stderr.count("errs or does not answer; trying again for up to 5 min") <= 1, ended.stderr
    later = Snapshot.of(bucket)
    outcome = Outcome(
        fault,
        proxy.faults,
        len(earlier.lost(later)),
        len(earlier.repeated(later)),
        sweeping.same_table(bucket, undisturbed),
        sweeping.left_behind(before),
        f"a real sweep through a proxy; of {len(proxy.asked)} requests so many were not answered as they should be",
    )
    record(outcome)
    assert outcome.injected >= 5
    assert outcome.harmless
    assert set(sweeping.table(bucket)["attempts"]) == {1}  # who waited was not taken for dead


def test_the_same_command_again_runs_nothing_and_all_is_read_from_there(bucket: str) -> None:
    flags = ["--temperature", "1", "--seeds", "0", "--epochs", "2", "--student", "digits_mlp"]
    sweeping.complete(bucket, *flags)
    earlier = Snapshot.of(bucket)
    again = sweeping.complete(bucket, *flags)
    assert "nothing to start" in again.stderr
    assert Snapshot.of(bucket) == earlier
    folder, storage = below(bucket, "sweeps", sweeping.NAME), Storage(bucket)
    for command in (["-m", "analysis.report", folder], ["sweeps/export_best.py", folder]):
        ended = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=sweeping.ROOT)
        assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    assert {"report.html", "table.md", "heatmap.png"} <= {*storage.names(f"sweeps/{sweeping.NAME}")}
    (exported,) = storage.names("exports")
    assert re.fullmatch(rf"{sweeping.NAME}-\w{{8}}", exported)
    assert {"model.safetensors", "card.json"} <= {*storage.names(f"exports/{exported}")}


def test_a_large_folder_is_listed_whole(bucket: str) -> None:
    """More than one page of S3's, which has a thousand names."""
    storage = Storage(bucket)
    names = [f"{number:05d}" for number in range(1050)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: storage.write(f"a/{name}", b"1"), names))
    assert storage.names("a") == names
    storage.delete_folder("a")
    assert storage.names("a") == []
