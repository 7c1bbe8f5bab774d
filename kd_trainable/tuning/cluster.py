"""The Ray cluster a sweep runs in: the one it is told of, the connected one, or one of its own on loopback alone."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray._private import ray_constants
from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available

from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.temporary import PREFIX
from kd_trainable.tuning.text import one_line
from kd_trainable.vocabulary import InputError

CONNECT_S = 10.0
# idle threads that spin steal the cores of other trials: 2 trials x 2 threads took 4 x as long
WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}
# Ray listens on all interfaces unless it takes itself for one that can have no second node, as it does on macOS
LOOPBACK_ALONE = {ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR: "0"}
QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}


@contextlib.contextmanager
def connected(settings: Settings) -> Iterator[None]:
    """The cluster of ``address``, for the block; one that this process is connected to already stays so."""
    if ray.is_initialized() or not settings.address:
        yield
        return
    _require_reachable(settings.address)
    try:
        # the first: Ray writes a line a second to it while it tries in vain; the other: a job may set the same variable
        with _stderr_silenced(), environment({"RAY_OVERRIDE_JOB_RUNTIME_ENV": "1"}):
            # as `ray start` does on the nodes: only a local ray.init looks for a token unasked
            maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
            ray.init(address=settings.address, runtime_env={"env_vars": WORKER_ENVIRONMENT}, **QUIET)
    except Exception as error:  # Ray raises what it likes, also errors of a token that is missing or another
        token = "its token must be in ~/.ray/auth_token, or in the file that RAY_AUTH_TOKEN_PATH names"
        raise InputError(f"address: {settings.address!r} cannot be reached ({token}): {one_line(error)}") from None
    with _shut_down_after():
        yield


@dataclass
class Session:
    """A session of Ray. ``keep_logs``: also after its end; ``logs``: where they then lie."""

    keep_logs: bool = False
    logs: str = ""


@contextlib.contextmanager
def cluster(settings: Settings, folder: Path) -> Iterator[Session]:
    """The connected cluster, or one of this machine that ends with the block, its files in ``folder``."""
    if ray.is_initialized():
        yield Session()
        return
    if settings.address:
        with connected(settings):
            yield Session()
        return
    session = Session()
    try:
        with environment({**WORKER_ENVIRONMENT, **LOOPBACK_ALONE}), _loopback_alone(), _elsewhere(folder):
            ray.init(address="local", include_dashboard=False, _temp_dir=str(folder), **QUIET)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"address: Ray cannot start on this machine: {one_line(error)}") from None
    try:
        with _shut_down_after():
            yield session
    finally:
        if session.keep_logs:
            session.logs = _moved_logs(folder)


@contextlib.contextmanager
def _shut_down_after() -> Iterator[None]:
    try:
        yield
    finally:
        with _deaf_to_interrupts():
            ray.shutdown()


@contextlib.contextmanager
def _elsewhere(folder: Path) -> Iterator[None]:
    """Ray lets its workers import from the folder it is started in, which may be a stranger's results folder.

    Where it is on Python's path, it is so because the person has named own code, or has put it there.
    """
    if os.getcwd() in map(os.path.abspath, sys.path):
        yield
        return
    with contextlib.chdir(folder):
        yield


@contextlib.contextmanager
def _stderr_silenced() -> Iterator[None]:
    """Of C++ too: what is written to the file descriptor is dropped."""
    sys.stderr.flush()
    before = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


@contextlib.contextmanager
def _loopback_alone() -> Iterator[None]:
    """Ray's own constant was read from the environment when it was imported, which may have been long ago."""
    before, ray_constants.ENABLE_RAY_CLUSTER = ray_constants.ENABLE_RAY_CLUSTER, False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _moved_logs(folder: Path) -> str:
    """Saves the logs of a session that has ended from the end of its folder."""
    kept = tempfile.mkdtemp(prefix=f"{PREFIX}logs-", dir=folder.parent)
    for logs in folder.glob("session_[0-9]*/logs"):
        with contextlib.suppress(OSError):
            shutil.move(logs, kept)
    return kept


def _require_reachable(address: str) -> None:
    """Raises InputError at once where nothing listens at host:port; Ray would try for minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or "://" in host or not port.isdigit():
        raise InputError(f"address: {address!r} is not allowed; must be auto, on the cluster's head, or host:port")
    try:
        with socket.create_connection((host, int(port)), CONNECT_S):
            pass
    except (OSError, OverflowError) as error:
        raise InputError(f"address: {address!r} cannot be reached: {one_line(error)}") from None


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
