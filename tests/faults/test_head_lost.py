"""The head of a cluster is lost with the driver on it; the same command in a new cluster, on the same storage."""

from __future__ import annotations

from pathlib import Path

import pytest
import sweeping
from in_a_cluster import assert_harmless, good_end, middle, start_nodes, with_teacher
from several_nodes import several_nodes


@pytest.mark.fault
def test_the_head_is_lost(undisturbed: Path, tmp_path: Path) -> None:
    """Its node lives on for a while without it, and must not write beside the sweep in the new cluster."""
    results = with_teacher(undisturbed, tmp_path / "results")
    before = sweeping.traces(results)
    # a minute, by Ray's own value, is how long a node looks for a head that is gone
    with several_nodes(RAY_gcs_rpc_server_reconnect_timeout_s="15") as old:
        (orphan,) = start_nodes(old, sweeping.SLEEP_S)
        process = old.begin(results)
        snapshot = middle(results, process, orphan)
        process.kill()
        old.nodes[0].kill()
        process.communicate()
        assert orphan.processes()
        with several_nodes() as new:
            assert new.address != old.address
            start_nodes(new, sweeping.SLEEP_S, sweeping.SLEEP_S)
            left = good_end(new.begin(results), new)
        left += orphan.left()
    left += sweeping.left_behind(before)
    fault = "the head lost with the driver on it, and the same command on a new cluster"
    assert_harmless(fault, snapshot, results, undisturbed, left)
