"""Temporary folders of this process, for Ray, Tune and copies. What a killed process left, the next one removes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = "kd-"
LOCK = ".kd-lock"
GONE_S = 3.0  # within which a process that was killed is gone
# Linux takes 107 characters for a socket's path, of which Ray's own names in its folder need about so many
LONGEST = 107 - len("/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store.0") - len(f"/{PREFIX}12345678")


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """A folder that ends with the block, held by a lock that the kernel frees however the process ends.

    Where Ray would have its own; in /tmp where the path to that leaves no room for the names of sockets. Removes, at
    both ends, what other processes have left.
    """
    remove_abandoned()
    try:
        with small_folder() as folder:
            yield folder
    finally:
        remove_abandoned()  # of others that were killed meanwhile


@contextlib.contextmanager
def small_folder() -> Iterator[Path]:
    """The same, without a look at what others have left: for a copy or two."""
    within = _within()
    within.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=within))
    try:
        with _held(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _within() -> Path:
    """Where folders of processes lie: Ray's get_default_system_temp_dir, without the second that importing it takes."""
    usual = os.environ.get("RAY_TMPDIR") or (sys.platform == "linux" and os.environ.get("TMPDIR")) or "/tmp"
    within = Path(usual).resolve()  # as /proc names what is open
    return Path("/tmp") if len(str(within)) > LONGEST else within


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a remover that was quicker sees that it is open, and lets go
        yield


def remove_abandoned() -> None:
    """Removes folders of this user whose process is gone, and ends what of its Ray lives on: agents do for a minute
    (on Linux; elsewhere who uses what is not known).

    A folder without a lock yet is being made just now. One that somebody else looks into stays.
    """
    for lock in _within().glob(f"{PREFIX}*/{LOCK}"):
        with contextlib.suppress(OSError):  # held by a process that lives, or another remover was quicker
            if lock.stat().st_uid != os.getuid():
                continue
            with lock.open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _left(lock.parent):
                    _remove(lock)


def _left(folder: Path) -> bool:
    """Whether no process has a file in the folder open any more, once Ray's are ended; they would make it anew."""
    until = time.monotonic() + GONE_S
    while found := _users(folder):
        rays = set(filter(_is_rays, found))
        for pid in rays:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if found != rays or time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def _users(folder: Path) -> set[int]:
    """Processes that have a file in the folder open, but this one."""
    found = set()
    for opened in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):  # gone by now, or another user's
            if os.readlink(opened).startswith(f"{folder}/"):
                found.add(int(opened.parts[2]))
    return found - {os.getpid()}


def _is_rays(pid: int) -> bool:
    """Whether it is one of Ray's own, and not, say, a person's editor with one of its logs."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        return words[0].startswith("ray::") or any("-packages/ray/" in word for word in words[:4])
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
