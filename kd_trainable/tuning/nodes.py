"""What the nodes of a cluster have: the GPUs a trial takes, whether a node can hold one, the folder that they share."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ray
import torch
import yaml
from ray._private.state import state
from ray.autoscaler.sdk import request_resources

from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.store import Storage
from kd_trainable.tuning.text import duration
from kd_trainable.vocabulary import InputError

Resources = Mapping[str, Any]
"""of one node: CPU, GPU and whatever else it has, numbers"""

DEFAULT_GPUS = 0.25
NODE_PATIENCE_S = 1800.0  # a spot node may be long in coming
POLL_S = 1.0
BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")  # where `ray up` leaves the cluster's file on its head


def gpus_per_trial(settings: Settings) -> float:
    """The GPUs a trial takes. Raises InputError where no node that there is, or may come, can hold a trial.

    Before there is a cluster: where this machine cannot, which is what a cluster of its own would have.
    """
    nodes = present()
    coming = announced() if settings.address else []
    unknown = ray.is_initialized() and not coming and not any(node.get("CPU", 0) for node in nodes)
    wanted = settings.gpus_per_trial
    if wanted is None and unknown:
        raise InputError(
            "gpus_per_trial: not given, and the cluster has no node for trials yet to tell by; name it, 0 for none"
        )
    if wanted is None:
        wanted = DEFAULT_GPUS if any(node.get("GPU", 0) for node in [*nodes, *coming]) else 0.0
    if not unknown:
        _require_capacity(settings, float(wanted), [*nodes, *coming])
    return float(wanted)


def _require_capacity(settings: Settings, gpus: float, nodes: list[Resources]) -> None:
    most_gpus, most_cpus = (max((node.get(kind, 0.0) for node in nodes), default=0.0) for kind in ("GPU", "CPU"))
    cpus, up = settings.cpus_per_trial, " (are all nodes up? see: ray status)" if settings.address else ""
    if gpus > most_gpus:
        raise InputError(f"gpus_per_trial: {gpus:g} is not allowed; {most_gpus:g} GPUs are there on a node{up}")
    if cpus > most_cpus:
        raise InputError(f"cpus_per_trial: {cpus} is not allowed; {most_cpus:g} CPUs are there on a node{up}")
    if not any(_holds(node, cpus, gpus) for node in nodes):
        raise InputError(f"gpus_per_trial: {gpus:g} is not allowed; no node has them and {cpus} CPUs too")


def present() -> list[Resources]:
    """What the nodes of the connected cluster have; without one, what this machine has."""
    if not ray.is_initialized():
        return [{"CPU": float(os.cpu_count() or 1), "GPU": float(torch.cuda.device_count())}]
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def announced() -> list[Resources]:
    """What the nodes have that the connected cluster's autoscaler may start; empty where that is not known."""
    config = state.get_cluster_config()  # reported by some autoscalers; the cluster launcher leaves its file instead
    reported = config.node_group_configs if config is not None else ()
    groups: list[Resources] = [dict(group.resources) for group in reported if group.max_count]
    kinds = [kind.get("resources") for kind in _bootstrapped() if kind.get("max_workers", 1)]
    return groups or [kind for kind in kinds if kind]  # machines of one's own have none written down


def _bootstrapped() -> list[dict[str, Any]]:
    with contextlib.suppress(OSError, ValueError, yaml.YAMLError):
        found = yaml.safe_load(BOOTSTRAP.expanduser().read_text())
        kinds = found.get("available_node_types", {}) if isinstance(found, dict) else {}
        return [kind for kind in kinds.values() if isinstance(kind, dict)]
    return []


def await_node(settings: Settings, gpus: float, say: Callable[[str], None]) -> None:
    """Returns once a node that can hold a trial is there; asks the autoscaler for one. Raises InputError after long."""
    cpus = settings.cpus_per_trial
    if any(_holds(node, cpus, gpus) for node in present()):
        return
    what = f"{cpus} CPUs and {gpus:g} GPUs"
    say(f"no node with {what} is there yet; the autoscaler is asked for one (see: ray status)")
    bundle = {"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}
    request_resources(bundles=[bundle])
    began = time.monotonic()
    try:
        while not any(_holds(node, cpus, gpus) for node in present()):
            if time.monotonic() - began > NODE_PATIENCE_S:
                waited = duration(NODE_PATIENCE_S)
                raise InputError(f"address: no node with {what} came within {waited}; ray status says what is missing")
            time.sleep(POLL_S)
    finally:
        request_resources(bundles=[])  # or that node would never be idle
    say(f"a node has come, after {duration(time.monotonic() - began)}")


def _holds(node: Resources, cpus: int, gpus: float) -> bool:
    return bool(node.get("CPU", 0.0) >= cpus and node.get("GPU", 0.0) >= gpus)


def draining() -> bool:
    """Whether this process's node is about to go: a spot notice, say."""
    return ray.get_runtime_context().get_node_id() in state.get_draining_nodes()


def require_shared(storage: Storage) -> None:
    """Raises InputError for a plain path where nodes of the connected cluster have other disks, now or soon."""
    nodes = [node for node in ray.nodes() if node["Alive"]]
    at_rest = not any(node["Resources"].get("CPU", 0) for node in nodes)  # the trials' nodes are yet to come
    if (len(nodes) > 1 or at_rest) and "://" not in storage.uri:
        has = f"the cluster has {len(nodes)} nodes" if len(nodes) > 1 else "the cluster's other nodes are yet to come"
        shared = f"a folder that all share as file://{storage.path()}, or a URI such as s3://bucket/results"
        raise InputError(f"storage: {storage.uri} is a folder of this machine, and {has}; name {shared}")
