"""Nodes that go and nodes that come while a sweep runs on a cluster, its driver killed beside it, its network cut."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import sweeping
from in_a_cluster import assert_harmless, good_end, middle, start_nodes, with_teacher
from ledger import Snapshot
from namespaces import namespaces
from several_nodes import several_nodes

FAST_S, SLOW_S = sweeping.SLEEP_S, 0.03  # of sleep a step; 20 epochs of 21 steps


@pytest.mark.fault
def test_a_node_that_is_killed(undisturbed: Path, tmp_path: Path) -> None:
    """Its raylet, agents and workers get SIGKILL while it holds a trial: the other node does all that is left."""
    results = with_teacher(undisturbed, tmp_path / "results")
    before = sweeping.traces(results)
    with several_nodes() as cluster:
        _, victim = start_nodes(cluster, FAST_S, SLOW_S)
        process = cluster.begin(results)
        snapshot = middle(results, process, victim)
        assert victim.kill() > 3
        left = good_end(process, cluster)
    left += sweeping.left_behind(before)
    later = assert_harmless("a node killed hard while it holds a trial", snapshot, results, undisturbed, left)
    assert sum(later.attempts.values()) == sweeping.RUNS + 1


@pytest.mark.fault
def test_a_node_that_joins_late(undisturbed: Path, tmp_path: Path) -> None:
    """A sweep that began on one node has its trials on the next one too, as soon as that has come."""
    results = with_teacher(undisturbed, tmp_path / "results")
    before = sweeping.traces(results)
    sleep = 0.1  # a step: a trial of Tune's waits no longer for its own worker once another one is free
    with several_nodes() as cluster:
        (first,) = start_nodes(cluster, sleep)
        process = cluster.begin(results)
        snapshot = middle(results, process, first, finished=0)
        late = cluster.add(1, sleep=0.0)
        sweeping.wait_for(late.trials, process)
        left = good_end(process, cluster)
    left += sweeping.left_behind(before)
    later = assert_harmless("a node that joins late", snapshot, results, undisturbed, left)
    assert sum(later.attempts.values()) == sweeping.RUNS
    at_least = sleep * 21 * sweeping.EPOCHS  # seconds of a run on the first node
    assert (sweeping.table(results)["train_seconds"] < at_least).sum() >= 2


@pytest.mark.fault
def test_a_driver_killed_beside_its_cluster(undisturbed: Path, tmp_path: Path) -> None:
    """The same command at once, while Ray still ends what the dead one had; in the end the cluster has no actor."""
    results = with_teacher(undisturbed, tmp_path / "results")
    before = sweeping.traces(results)
    with several_nodes() as cluster:
        nodes = start_nodes(cluster, FAST_S, FAST_S)
        process = cluster.begin(results)
        snapshot = middle(results, process, nodes[0])
        process.kill()
        again = cluster.begin(results)
        process.communicate()
        left = good_end(again, cluster)
    left += sweeping.left_behind(before)
    fault = "the driver killed beside a cluster that lives on, and the same command at once"
    assert_harmless(fault, snapshot, results, undisturbed, left)


@pytest.mark.fault
def test_a_network_that_is_cut(undisturbed: Path, tmp_path: Path) -> None:
    """A node out of reach for 10 s, and then for longer than Ray waits: it is dead to Ray, and its trial goes on here.

    Its worker lives on meanwhile and reaches the results folder, as it would a network drive.
    """
    results = with_teacher(undisturbed, tmp_path / "results")
    before = sweeping.traces(results)
    # each check takes up to 3 s and comes 1 s after the last: dead after 16 to 20 s
    with namespaces(3) as places, several_nodes(places, RAY_health_check_failure_threshold="5") as cluster:
        _, far = start_nodes(cluster, SLOW_S, SLOW_S)
        process = cluster.begin(results)
        snapshot = middle(results, process, far)
        places[2].cut()
        time.sleep(10)
        places[2].mend()
        sweeping.wait_for(lambda: len(sweeping.ended(results)) > len(snapshot.finished) + 1, process)
        assert len(cluster.known()[0]) == 3  # 10 s are not enough to lose it
        sweeping.wait_for(far.trials, process)
        snapshot = Snapshot.of(results)
        places[2].cut()
        sweeping.wait_for(lambda: len(cluster.known()[0]) == 2, process)
        places[2].mend()
        left = good_end(process, cluster)
    left += sweeping.left_behind(before)
    fault = "a node's network cut for 10 s, and then until Ray takes it for dead"
    later = assert_harmless(fault, snapshot, results, undisturbed, left, injected=2)
    assert sum(later.attempts.values()) == sweeping.RUNS + 1
