"""The Ray cluster a sweep runs in: the one it is told of, the connected one, or one of its own on loopback alone."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray._private import ray_constants, services
from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available

from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.temporary import PREFIX
from kd_trainable.tuning.text import one_line
from kd_trainable.vocabulary import InputError

CONNECT_S = 10.0
GREET_S = 30.0  # for a head to greet; ray.init would try for minutes where the port is another service's
GREETING = "import sys; from ray._raylet import GcsClient; GcsClient(address=sys.argv[1])"
ASK = (
    "is it the head's port (6379; not 8265 or 10001), is Ray's version the same, and is its token in "
    "~/.ray/auth_token, or in the file that RAY_AUTH_TOKEN_PATH names?"
)
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
    address = _reachable(settings.address)
    try:
        # the first: Ray writes a line a second to it while it tries in vain; the other: a job may set the same variable
        with _stderr_silenced(), environment({"RAY_OVERRIDE_JOB_RUNTIME_ENV": "1"}):
            # as `ray start` does on the nodes: only a local ray.init looks for a token unasked
            maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
            _require_head(address)
            ray.init(address=address, runtime_env={"env_vars": WORKER_ENVIRONMENT}, **QUIET)
    except Exception as error:  # Ray raises what it likes, also errors of a token that is missing or another
        raise InputError(f"address: {address!r} answers, but no cluster does: {ASK}; {one_line(error)}") from None
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


def _reachable(address: str) -> str:
    """host:port. Raises InputError at once where nothing listens there; Ray would try for minutes."""
    found = address
    if address == "auto":
        try:
            found = services.canonicalize_bootstrap_address("auto") or os.environ.get("RAY_ADDRESS", "")
        except ConnectionError:
            raise InputError(
                "address: 'auto' finds no Ray cluster on this machine; run it on the cluster's head, or give host:port"
            ) from None
        except ValueError:  # what RAY_ADDRESS says
            found = os.environ.get("RAY_ADDRESS", "")
    host, _, port = found.rpartition(":")
    if not host or "://" in host or not port.isdigit():
        where = " (RAY_ADDRESS)" if found != address else ""
        raise InputError(f"address: {found!r}{where} is not allowed; must be auto, on the cluster's head, or host:port")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_S):  # of [::1]:6379
            return found
    except (OSError, OverflowError) as error:
        which = f"{found!r}, which 'auto' found," if found != address else repr(found)
        raise InputError(f"address: {which} cannot be reached: {one_line(error)}") from None


def _require_head(address: str) -> None:
    """Raises an error where no head greets; in a process of its own, since nothing ends Ray's client before it ends."""
    greeting = [sys.executable, "-P", "-c", GREETING, address]  # -P: nothing of the current folder
    try:
        done = subprocess.run(greeting, capture_output=True, text=True, check=False, timeout=GREET_S)
    except subprocess.TimeoutExpired:
        raise ConnectionError(f"no greeting within {GREET_S:g} s") from None
    if done.returncode:
        raise ConnectionError((done.stderr.strip().splitlines() or ["no greeting"])[-1])


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
