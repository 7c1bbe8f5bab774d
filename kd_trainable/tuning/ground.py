"""The ground a driver stands on: a results folder with room, held by one driver at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from kd_trainable.tuning.lease import RemoteLease
from kd_trainable.tuning.objects import line
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError

ROOM_NEEDED = 64 * 2**20  # bytes free on a local results folder before anything starts


def require_room(storage: Storage) -> None:
    """Raises InputError where the results can hardly be written: no room, or no permission. Leaves nothing behind."""
    if not storage.local:
        _probe(storage)
        return
    folder = Path(storage.root)
    try:
        while not folder.exists():
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise InputError(f"storage: {storage.root} cannot be written to: {error.strerror}") from None
    if free < ROOM_NEEDED:
        raise InputError(f"storage: {storage.root} has {free >> 20} MiB free; at least {ROOM_NEEDED >> 20} MiB needed")


def _probe(storage: Storage) -> None:
    try:
        storage.write(".probe", b"")
        storage.delete(".probe")
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"storage: {storage.shown()} cannot be written to: {line(error)}") from None


def _no_link(path: str, flags: int) -> int:
    """Opens a file that a stranger's results folder cannot have made a link of, to one that would be written to."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


class LocalLease:
    """A folder held by the kernel's lock, which nobody can take away."""

    def require_held(self) -> None:
        """Holds."""


@contextlib.contextmanager
def sole_driver(storage: Storage) -> Iterator[LocalLease | RemoteLease]:
    """Holds a results folder for one driver at a time; the driver's loop calls the ``require_held`` of what it yields.

    A local folder by the kernel's lock, which it frees however the driver ends; it holds over NFSv4 too, between
    machines (Linux makes flock a lock of the server there since 2.6.12; not where it is mounted with local_lock, nor
    over NFSv3 without lockd). An object store by a lease: see lease.py. Raises InputError where another one holds it.
    """
    if not storage.local:
        with RemoteLease(storage) as lease:
            yield lease
        return
    try:
        Path(storage.root).mkdir(parents=True, exist_ok=True)
        file = open(Path(storage.root) / ".lock", "a", opener=_no_link)  # noqa: SIM115
    except OSError as error:
        raise InputError(f"storage: {storage.root} cannot be written to: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"storage: {storage.root} is in use by another sweep; wait for it, or stop it") from None
        except OSError as error:  # Lustre mounted without flock, NFSv3 without lockd
            raise InputError(
                f"storage: {storage.root} is on a file system without locks ({error.strerror}); have it mounted with "
                "them, or name another folder"
            ) from None
        for folder in ("teachers", "logits", "sweeps"):  # runs are swept when they are claimed
            for name in storage.names(folder):
                storage.sweep_up(f"{folder}/{name}")
        yield LocalLease()
