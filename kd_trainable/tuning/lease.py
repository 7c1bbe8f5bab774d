"""One driver at a time on an object store, which has no locks: a lease that is renewed, and watched by who wants it.

RESULTS/driver.json {token, host, pid, beat}: whoever holds the folder raises ``beat`` every few seconds. Who comes
later watches it by its own monotonic clock, so that no two clocks are ever compared and none may jump: while the beat
changes there is a driver; where it has stood still for ``DEAD_S`` there is none, and the newcomer takes over.

What if the store keeps the holder, and only it, from beating for longer than that? Then there are two drivers until
the first one's next beat, which finds another's token, and ``require_held`` raises. Nothing is corrupted meanwhile:
each object is written whole by one put; a run's files are written only by the attempt whose token is in the run's own
lease, and the newcomer's attempts take those leases; what both write, tables and kept logits, is made from the same
runs and the same teacher, and is remade at will; and a run's result is a function of its spec, whoever wrote it. A
beat that was delayed on its way may put the first one's token back: then the second one stops. One of them goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import time
import uuid
from typing import Any

import pyarrow as pa

from kd_trainable.tuning import objects
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError

FILE = "driver.json"
BEAT_S = 5.0  # between two beats
DEAD_S = 20.0  # without a beat, a driver is taken for dead
POLL_S = 1.0
SETTLE_S = 2.0  # of two drivers that start in one second, the one that wrote last holds; so long a put may take
FAILURES = (OSError, pa.ArrowException, InputError)


class RemoteLease:
    """``with RemoteLease(storage) as lease:`` holds the folder. Raises InputError where another driver does."""

    def __init__(self, storage: Storage) -> None:
        self.storage, self.token, self.beats = storage, uuid.uuid4().hex, 0
        self.taken_by: str | None = None
        self.ended = threading.Event()
        self.renewing = threading.Thread(target=self._renew, name="driver's lease", daemon=True)

    def __enter__(self) -> RemoteLease:
        found = self._read()
        if found is not None:
            self._outwait(found)
        try:
            self._write()
            self.ended.wait(SETTLE_S)
            if not self._mine(settled := self._read()):
                self._refuse(settled)
        except BaseException:
            self._leave()
            raise
        self.renewing.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.ended.set()
        self.renewing.join(objects.SILENT_S)
        self._leave()

    def require_held(self) -> None:
        """Raises InputError once another driver has taken the folder over: whoever sees this writes nothing more."""
        if self.taken_by is not None:
            raise InputError(
                f"storage: {self.storage.shown()} was taken over by another driver ({self.taken_by}); this one stops"
            )

    def _renew(self) -> None:
        """Looks before it writes, and writes once: a put that is tried again later could undo a newcomer's."""
        while not self.ended.wait(BEAT_S):
            with contextlib.suppress(Exception):  # then the next beat, or the driver's own writing, will tell of it
                found = self._read()
                if self.ended.is_set():  # the read stalled past our end: the lease is gone, and not ours to renew
                    return
                if found is None or self._mine(found):
                    self._write(patience_s=0.0)
                elif "token" in _parsed(found):
                    self.taken_by = _who(found)
                    return

    def _outwait(self, seen: bytes) -> None:
        """Returns when the holder has ended or is dead. Only answered looks count: a store may stall for us alone."""
        print(
            f"storage: {self.storage.shown()} has a driver ({_who(seen)}) or had one that was killed; "
            f"watching it for {DEAD_S:g} s",
            file=sys.stderr,
            flush=True,
        )
        for _ in range(round(DEAD_S / POLL_S)):
            time.sleep(POLL_S)
            found = self._read()
            if found is None:
                return
            if found != seen:
                self._refuse(found)

    def _refuse(self, found: bytes | None) -> None:
        raise InputError(
            f"storage: {self.storage.shown()} is in use by another sweep ({_who(found)}); wait for it, or stop it"
        )

    def _leave(self) -> None:
        """The next driver need not wait; where the store errs just now, it has to."""
        with contextlib.suppress(*FAILURES):
            if self._mine(self._read(patience_s=0.0)):
                path = f"{self.storage.root}/{FILE}"
                self.storage.requests.ask(lambda files: files.delete_file(path), path, patience_s=0.0)

    def _read(self, patience_s: float | None = None) -> bytes | None:
        path = f"{self.storage.root}/{FILE}"
        try:
            return self.storage.requests.ask(lambda files: objects.read(files, path), patience_s=patience_s)
        except FileNotFoundError:
            return None

    def _write(self, patience_s: float | None = None) -> None:
        path, self.beats = f"{self.storage.root}/{FILE}", self.beats + 1
        # of one length, so that who reads while it is replaced reads one of the two, not the half of one
        said = {"token": self.token, "host": socket.gethostname(), "pid": os.getpid(), "beat": f"{self.beats:012d}"}
        content = (json.dumps(said) + "\n").encode()
        self.storage.requests.ask(lambda files: objects.write(files, path, content), path, patience_s=patience_s)

    def _mine(self, found: bytes | None) -> bool:
        return found is not None and _parsed(found).get("token") == self.token


def _parsed(found: bytes | None) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        said = json.loads(found or b"")
        return said if isinstance(said, dict) else {}
    return {}


def _who(found: bytes | None) -> str:
    """The holder, for people: a stranger may have written the file."""
    said = _parsed(found)
    host = "".join(c for c in str(said.get("host", "?")) if c.isprintable())[:60]
    pid = said.get("pid")
    return f"host {host}, pid {pid if type(pid) is int else '?'}"
