"""A teacher of 200 MB on a cluster of 8 nodes lies once on each: by the bytes that came, and by the memory it takes."""

from __future__ import annotations

import contextlib
import statistics
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import big_teacher
import psutil
import pytest
from in_a_cluster import good_end
from ledger import measure
from namespaces import Place, namespaces
from several_nodes import Cluster, Node, several_nodes

from kd_trainable import teacher

NODES = 8
SLOW_S = 1.5  # a step, so that no run ends before every node has one
MB = 1e6
STORE = 700_000_000  # bytes
# a method that compares features, so that every trial needs the teacher itself and not only its logits
FLAGS = (
    "--student subject:student --method pkt --taps network.embedding:4 --temperature 1 --epochs 1 --no-baselines"
    f" --max-concurrent {NODES + 1}"
).split()  # fmt: skip


@dataclass
class Watched:
    """Of a node: the most private bytes of each trial's process, shared memory that lay there each time, bytes come."""

    private: dict[psutil.Process, int] = field(default_factory=dict)
    lay: list[int] = field(default_factory=list)
    received: int = 0

    @property
    def shared(self) -> float:
        """While something lay there; pages that come just as they are counted count twice, now and then."""
        return statistics.median(lay for lay in self.lay if lay >= max(self.lay) / 2)

    def look(self, node: Node) -> None:
        for trial in node.trials():
            self.private[trial] = max(self.private.get(trial, 0), memory(trial, "Private_Clean", "Private_Dirty"))
        # of the pages that several processes have, each counts its part: together it is what lies there once
        self.lay.append(sum(memory(process, "Pss_Shmem") for process in node.processes()))


def memory(process: psutil.Process, *kinds: str) -> int:
    """Bytes of these kinds, by the kernel's own sum (proc(5), smaps_rollup); 0 of a process that has ended."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]
        found = {name: int(number) for name, number, _ in (line.replace(":", "").split() for line in lines)}
        return 1024 * sum(found[kind] for kind in kinds)
    return 0


@contextlib.contextmanager
def watching(nodes: Sequence[Node], places: Sequence[Place]) -> Iterator[list[Watched]]:
    """Looks at the nodes all the time; ``received`` is there at the end."""
    seen, over = [Watched() for _ in nodes], threading.Event()
    before = [place.received() for place in places]

    def look() -> None:
        while not over.wait(0.2):
            for node, watched in zip(nodes, seen, strict=True):
                watched.look(node)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()
        for watched, place, count in zip(seen, places, before, strict=True):
            watched.received = place.received() - count


def taught(cluster: Cluster, nodes: list[Node], places: list[Place], folder: Path, name: str) -> list[Watched]:
    """What was seen on each node in a sweep under the teacher ``big_teacher:NAME``."""
    big_teacher.keep(name, folder / name)
    teaches = ["--teacher", str(folder / name), "--teacher-model", f"big_teacher:{name}"]
    asked = [*FLAGS, "--seeds", *map(str, range(NODES + 1)), *teaches]
    with watching(nodes, places) as seen:
        process = cluster.begin(folder / f"results-{name}", *asked)
        assert good_end(process, cluster) == ()
    return seen


@pytest.mark.fault
def test_one_copy_on_each_node(tmp_path: Path) -> None:
    """Beside a sweep under a teacher of next to nothing. The first node has two trials at a time, and one copy."""
    with namespaces(NODES + 1) as places, several_nodes(places, store=STORE) as cluster:
        nodes = [cluster.add(1 + (i == 0), wait=False, sleep=SLOW_S, store=STORE) for i in range(NODES)]
        for node in nodes:
            node.wait()
        without = taught(cluster, nodes, places[1:], tmp_path, "narrow")
        under = taught(cluster, nodes, places[1:], tmp_path, "wide")
    size = sum(array.nbytes for array in teacher.load(tmp_path / "wide", "big_teacher:wide").arrays.values())
    usual = max(private for watched in without for private in watched.private.values())
    rows = [_row(i, *both) for i, both in enumerate(zip(without, under, strict=True), start=1)]
    measure(f"A teacher of {size / MB:.0f} MB on {NODES} nodes, one copy on each", rows)
    assert [len(watched.private) for watched in under] == [2] + [1] * (NODES - 1)
    for small, large in zip(without, under, strict=True):
        assert 0.95 * size < large.received - small.received < 1.2 * size
        assert 0.95 * size < large.shared - small.shared < 1.2 * size
        assert max(large.private.values()) < usual + 0.5 * size


def _row(number: int, small: Watched, large: Watched) -> dict[str, str]:
    return {
        "node": str(number),
        "trials at a time": str(len(large.private)),
        "more received than under a teacher of 0.1 MB, MB": f"{(large.received - small.received) / MB:.0f}",
        "more shared memory, MB": f"{(large.shared - small.shared) / MB:.0f}",
        "private memory of a trial, MB": f"{max(large.private.values(), default=0) / MB:.0f}",
        "under the teacher of 0.1 MB": f"{max(small.private.values(), default=0) / MB:.0f}",
    }
