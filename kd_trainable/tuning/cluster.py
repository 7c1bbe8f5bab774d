"""The Ray cluster a sweep runs in: the one it is told of, the connected one, or one of its own; and what it has."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import ray
import torch

from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.store import Storage
from kd_trainable.tuning.text import one_line
from kd_trainable.vocabulary import InputError

CONNECT_S = 10.0
# idle threads that spin steal the cores of other trials: 2 trials x 2 threads took 4 x as long
WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}


@contextlib.contextmanager
def cluster(settings: Settings) -> Iterator[None]:
    """The cluster of ``address``, the connected one, or one on this machine that ends with the block."""
    if ray.is_initialized():
        yield
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if settings.address:
            _require_reachable(settings.address)
            ray.init(address=settings.address, runtime_env={"env_vars": WORKER_ENVIRONMENT}, **quiet)
        else:
            with environment(WORKER_ENVIRONMENT):  # what Ray starts here inherits it
                ray.init(address="local", include_dashboard=False, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(f"address: {settings.address!r} cannot be reached: {one_line(error)}") from None
    try:
        yield
    finally:
        with _deaf_to_interrupts():
            ray.shutdown()


def _require_reachable(address: str) -> None:
    """Raises InputError at once where nothing listens at host:port; Ray would try for minutes."""
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise InputError(f"address: {address!r} is not allowed; must be auto, on the cluster's head, or host:port")
    try:
        with socket.create_connection((host, int(port)), CONNECT_S):
            pass
    except (OSError, OverflowError) as error:
        raise InputError(f"address: {address!r} cannot be reached: {one_line(error)}") from None


def gpus_per_trial(settings: Settings) -> float:
    """The GPUs a trial takes. Raises InputError where the cluster has too few GPUs or CPUs for one trial.

    Before there is a cluster: where this machine has, which is what a cluster of its own would have.
    """
    here = {"CPU": float(os.cpu_count() or 1), "GPU": float(torch.cuda.device_count())}
    nodes = [n["Resources"] for n in ray.nodes() if n["Alive"]] if ray.is_initialized() else [here]
    gpus, cpus = (max((node.get(kind, 0.0) for node in nodes), default=0.0) for kind in ("GPU", "CPU"))
    wanted = settings.gpus_per_trial
    if wanted is None:
        wanted = 0.25 if gpus else 0.0
    if wanted > gpus:
        raise InputError(f"gpus_per_trial: {wanted:g} is not allowed; {gpus:g} GPUs are there on a node")
    if settings.cpus_per_trial > cpus:
        raise InputError(f"cpus_per_trial: {settings.cpus_per_trial} is not allowed; {cpus:g} CPUs are there on a node")
    return wanted


def require_shared(storage: Storage) -> None:
    """Raises InputError for a plain path where the connected cluster has several nodes, each with its own disk."""
    nodes = sum(n["Alive"] for n in ray.nodes())
    if nodes > 1 and "://" not in storage.uri:
        shared = f"a folder that all share as file://{storage.path()}, or a URI such as s3://bucket/results"
        raise InputError(
            f"storage: {storage.uri} is a folder of this machine, and the cluster has {nodes} nodes; {shared}"
        )


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """The process's environment with these values, for the block."""
    before = {k: os.environ.get(k) for k in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for k, v in before.items():
            if v is None:
                os.environ.pop(k, None)
            else:
                os.environ[k] = v


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """A second Ctrl-C must not leave half of a cluster behind."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not the main thread, which alone may set handlers
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
