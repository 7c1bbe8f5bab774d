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

PREFIX = "kd-trainable-"
LOCK = ".lock"


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """A folder that ends with the block, held by a lock that the kernel frees however the process ends.

    In the folder in which Ray would put its own: a path of a socket in it must stay under 107 characters.
    """
    within = Path(get_default_system_temp_dir())
    within.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(within)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=within))
    try:
        with _held(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _remove_abandoned(within: Path) -> None:
    """Removes folders of this user whose process is gone. One without a lock yet is being made just now."""
    for lock in within.glob(f"{PREFIX}*/{LOCK}"):
        with contextlib.suppress(OSError):  # held by a process that lives, or another remover was quicker
            if lock.stat().st_uid != os.getuid():
                continue
            with lock.open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
