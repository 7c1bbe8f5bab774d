"""A results folder that is this machine's own is refused where the trials of a cluster run on other machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kd_trainable.tuning import nodes
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError

HEAD, WORKER, LOST = ({"Alive": True, "Resources": {}}, {"Alive": True, "Resources": {"CPU": 4.0}}, {"Alive": False})
OTHERS = {
    "several nodes": ([HEAD, WORKER, WORKER, LOST], "the cluster has 3 nodes"),
    "a head at rest": ([HEAD], "the cluster's other nodes are yet to come"),
}


@pytest.fixture
def cluster_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the nodes of the connected cluster."""
    return lambda found: monkeypatch.setattr(nodes.ray, "nodes", lambda: found)


@pytest.mark.parametrize("which", OTHERS)
def test_a_path_of_this_machine_is_refused_in_one_line(which: str, cluster_of: Any, tmp_path: Path) -> None:
    found, why = OTHERS[which]
    cluster_of(found)
    with pytest.raises(InputError) as refused:
        nodes.require_shared(Storage(tmp_path))
    assert str(refused.value) == (
        f"storage: {tmp_path} is a folder of this machine, and {why}; name a folder that all share as "
        f"file://{tmp_path}, or a URI such as s3://bucket/results"
    )


def test_what_all_nodes_reach_is_taken(cluster_of: Any, tmp_path: Path) -> None:
    cluster_of([HEAD, WORKER, WORKER])
    nodes.require_shared(Storage(f"file://{tmp_path}"))


def test_a_cluster_that_is_this_machine_alone_takes_its_folder(cluster_of: Any, tmp_path: Path) -> None:
    cluster_of([WORKER, LOST])
    nodes.require_shared(Storage(tmp_path))
