"""runs/<spec_id> in the run store: the state of one run, which one attempt at a time may write."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from kd_trainable.tuning.sound import sound
from kd_trainable.tuning.store import Storage

DIGITS = 12  # of the sha256 in a file's name


class Fenced(RuntimeError):
    """A successor has taken this run over; whoever sees this must write nothing more."""


class RunFolder:
    """runs/<spec_id>: the state of one run, written by the attempt that holds its lease."""

    def __init__(self, storage: Storage, spec_id: str) -> None:
        self.storage, self.name, self.folder = storage, spec_id, f"runs/{spec_id}"
        self.token = ""
        self.kept: list[str] = []  # checkpoints, once one was saved

    def result(self) -> dict[str, Any] | None:
        """How the run ended, with its epochs; None where it has not."""
        found = self.storage.read_json(f"{self.folder}/result.json")
        return found if sound(found) else None

    def attempts(self) -> int:
        """How many attempts there were so far."""
        lease = self.storage.read_json(f"{self.folder}/lease.json")
        attempt = lease.get("attempt") if isinstance(lease, dict) else 0
        return attempt if type(attempt) is int and 0 <= attempt < 1 << 31 else 0

    def claim(self) -> int:
        """Takes the lease from whoever has it; returns this attempt's number, from 1."""
        self.storage.sweep_up(self.folder)
        attempt, self.token = self.attempts() + 1, uuid.uuid4().hex
        self.storage.write_json(f"{self.folder}/lease.json", {"attempt": attempt, "token": self.token})
        return attempt

    def fence(self) -> None:
        """Takes the lease from whoever has it, without beginning another attempt."""
        self.token = uuid.uuid4().hex
        lease = {"attempt": self.attempts(), "token": self.token}
        self.storage.write_json(f"{self.folder}/lease.json", lease)

    def require_own(self) -> None:
        """Raises Fenced when a later attempt has the lease."""
        lease = self.storage.read_json(f"{self.folder}/lease.json")
        if not isinstance(lease, dict) or lease.get("token") != self.token:
            raise Fenced(f"{self.folder}: another attempt has taken over")

    def write(self, name: str, content: bytes) -> None:
        """Writes a file of the run. Raises Fenced when a later attempt has the lease."""
        self.require_own()
        self.storage.write(f"{self.folder}/{name}", content)

    def write_json(self, name: str, value: Any) -> None:
        """``write`` for a JSON value."""
        self.write(name, (json.dumps(value, indent=1) + "\n").encode())

    def save_checkpoint(self, epoch: int, content: bytes) -> None:
        """Writes a checkpoint, named by epoch and by its own hash, and keeps the newest two."""
        name = f"checkpoint-{epoch:06d}-{_digest(content)}.safetensors"
        self.write(name, content)
        self.kept = sorted({*(self.kept or self._checkpoints()), name})  # listed once: a request saved at each
        for old in self.kept[:-2]:
            self.storage.delete(f"{self.folder}/{old}")
        self.kept = self.kept[-2:]

    def checkpoints(self, pass_over: Callable[[str], None] = lambda name: None) -> Iterator[bytes]:
        """The checkpoints whose bytes are the ones their names speak of, newest first; others are passed over."""
        for name in reversed(self._checkpoints()):
            content = self.storage.read(f"{self.folder}/{name}")
            if content is None:
                continue
            if name.rpartition("-")[2].partition(".")[0] == _digest(content):
                yield content
            else:
                pass_over(name)

    def finish(self, result: dict[str, Any], weights: bytes | None) -> None:
        """Writes the weights and then the result, which makes the run ended; a finished one drops its checkpoints.

        The weights are named by their sha256, and the result has it: a fenced attempt's put that comes late changes
        no weights of its successor's, and a result is never beside weights that are not its own.
        """
        if weights is not None:
            sha256 = hashlib.sha256(weights).hexdigest()
            self.write(weights_name(sha256), weights)
            result = {**result, "weights_sha256": sha256}
        self.write_json("result.json", result)
        if result["status"] == "finished":
            for name in self._checkpoints():
                self.storage.delete(f"{self.folder}/{name}")

    def forget(self) -> None:
        """Deletes the run."""
        self.storage.delete_folder(self.folder)

    def _checkpoints(self) -> list[str]:
        return [name for name in self.storage.names(self.folder) if name.startswith("checkpoint-")]


def weights_name(sha256: str) -> str:
    """The file of a finished run's weights, whose sha256 its result has as weights_sha256."""
    return f"weights-{sha256[:DIGITS]}.safetensors"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]
