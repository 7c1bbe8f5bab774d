"""What tests of faults on a cluster share: its usual nodes, the moment for a fault, and what became of the sweep."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import sweeping
from ledger import Outcome, Snapshot, record
from several_nodes import Cluster, Node


def with_teacher(undisturbed: Path, results: Path) -> Path:
    """A results folder that has the teacher and nothing else: how that is trained is not what is disturbed here."""
    shutil.copytree(undisturbed / "teachers", results / "teachers")
    return results


def start_nodes(cluster: Cluster, *sleeps: float) -> list[Node]:
    """Nodes for one trial each, started together; of each, what a training step takes longer there."""
    nodes = [cluster.add(1, wait=False, sleep=sleep) for sleep in sleeps]
    for node in nodes:
        node.wait()
    return nodes


def middle(results: Path, process: subprocess.Popen[str], node: Node, finished: int = 1) -> Snapshot:
    """The results when so many runs have finished, another is under way, and the node holds a trial."""
    sweeping.in_the_middle(results, process, finished)
    sweeping.wait_for(node.trials, process)
    return Snapshot.of(results)


def good_end(process: subprocess.Popen[str], cluster: Cluster) -> tuple[str, ...]:
    """Waits for a good end of the sweep; returns what it left in the cluster that goes on."""
    ended = sweeping.finish(process)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    return cluster.left()


def assert_harmless(
    fault: str, snapshot: Snapshot, results: Path, undisturbed: Path, left: tuple[str, ...], injected: int = 1
) -> Snapshot:
    """Records what became of the sweep, and asserts that it came to no harm; returns what it has in the end."""
    later = Snapshot.of(results)
    lost, repeated = len(snapshot.lost(later)), len(snapshot.repeated(later))
    outcome = Outcome(fault, injected, lost, repeated, sweeping.same_table(results, undisturbed), left)
    record(outcome)
    assert outcome.harmless, outcome
    return later
