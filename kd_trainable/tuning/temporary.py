"""A temporary folder of this process, for Ray and Tune. What a killed process left, the next one removes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ray._common.utils import get_default_system_temp_dir

PREFIX = "kd-"
LOCK = ".kd-lock"
# Linux takes 107 characters for a socket's path, of which Ray's own names in its folder need about so many
LONGEST = 107 - len("/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store.0") - len(f"/{PREFIX}12345678")


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """A folder that ends with the block, held by a lock that the kernel frees however the process ends.

    Where Ray would have its own; in /tmp where the path to that leaves no room for the names of sockets.
    """
    within = _within()
    within.mkdir(parents=True, exist_ok=True)
    remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=within))
    try:
        with _held(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        remove_abandoned()  # again: a dead driver's Ray wrote for some seconds after the first time


def _within() -> Path:
    """Where folders of processes lie."""
    usual = Path(get_default_system_temp_dir())
    return Path("/tmp") if len(str(usual)) > LONGEST else usual


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def remove_abandoned() -> None:
    """Removes folders of this user whose process is gone. One without a lock yet is being made just now."""
    for lock in _within().glob(f"{PREFIX}*/{LOCK}"):
        with contextlib.suppress(OSError):  # held by a process that lives, or another remover was quicker
            if lock.stat().st_uid != os.getuid() or _written_to(lock.parent):
                continue
            with lock.open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(lock)


def _written_to(folder: Path) -> bool:
    """Whether a process has a file in it open: a dead driver's Ray lives on for seconds, and would make it anew."""
    for opened in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):  # gone by now, or another user's
            if os.readlink(opened).startswith(f"{folder}/"):
                return True
    return False


def _remove(lock: Path) -> None:
    """The lock goes last: where something came while the rest went, the next remover must find it."""
    for path in lock.parent.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path != lock:
            path.unlink()
    if [path for path in lock.parent.iterdir() if path != lock]:
        return
    lock.unlink()
    lock.parent.rmdir()
