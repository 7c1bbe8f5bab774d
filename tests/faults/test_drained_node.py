"""A spot node that is drained before it goes: its trial writes a checkpoint, and its loss costs none of the retries."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import pytest
import sweeping
from in_a_cluster import assert_harmless, good_end, middle, start_nodes, with_teacher
from ledger import Snapshot
from several_nodes import several_nodes
from short_runs import result

from kd_trainable.engine import checkpoint
from kd_trainable.tuning.run_folder import RunFolder
from kd_trainable.tuning.store import Storage

NOTICE_S = 12  # clouds give 30 s or more; a trial asks every 5 s
SLOW_S = 0.1  # a step, so a run takes 42 s: none of the spot node's ends before that does


@pytest.mark.fault
def test_a_spot_node_that_is_drained(undisturbed: Path, tmp_path: Path) -> None:
    """Drained as on a cloud's notice, and killed after its deadline; with --retries 0."""
    results = with_teacher(undisturbed, tmp_path / "results")
    before = sweeping.traces(results)
    with several_nodes() as cluster:
        _, spot = start_nodes(cluster, sweeping.SLEEP_S, SLOW_S)
        process = cluster.begin(results, "--retries", "0")
        middle(results, process, spot)
        noticed = time.time()
        cluster.drain(spot, NOTICE_S)
        time.sleep(NOTICE_S + 1)
        snapshot, kept = Snapshot.of(results), _newest(results)
        assert spot.kill()
        left = good_end(process, cluster)
    left += sweeping.left_behind(before)
    fault = "a spot notice, and the node killed after it, with --retries 0"
    later = assert_harmless(fault, snapshot, results, undisturbed, left)
    (again,) = [run for run, attempts in later.attempts.items() if attempts > 1]
    written, rows = kept[again]
    assert written > noticed
    assert repr(result(results, again)["history"][: len(rows)]) == repr(rows)  # the times too: it went on from there


def _newest(results: Path) -> dict[str, tuple[float, list[dict[str, Any]]]]:
    """Of each run under way, when its newest checkpoint was written, and its epochs."""
    found = {}
    for run in sweeping.under_way(results):
        with contextlib.suppress(FileNotFoundError, StopIteration):  # it has just ended
            written = max(path.stat().st_mtime for path in (results / "runs" / run).glob("checkpoint-*"))
            content = next(RunFolder(Storage(str(results)), run).checkpoints())
            found[run] = written, checkpoint.decode(content)[1]
    return found
