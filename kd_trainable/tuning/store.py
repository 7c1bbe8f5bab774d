"""The run store: what is durable, on any pyarrow filesystem. One put an object: no append, no rename relied on.

runs/<spec_id>/            spec.json, lease.json, the newest two checkpoints; when finished result.json and weights
sweeps/<name>/             made from the runs, remade at will
teachers/<fingerprint>/    weights.safetensors, card.json
logits/<folder>/           shards
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from pyarrow import fs

from kd_trainable.tuning import objects
from kd_trainable.tuning.objects import Requests
from kd_trainable.tuning.sound import sound
from kd_trainable.vocabulary import InputError, without_secrets

T = TypeVar("T")


class Fenced(RuntimeError):
    """A successor has taken this run over; whoever sees this must write nothing more."""


class Storage:
    """A folder, local or by URI. Paths are relative to it, with forward slashes. Picklable."""

    def __init__(self, uri: str | Path) -> None:
        self.uri = str(uri)
        if "://" in self.uri:
            files, self.root = objects.opened(self.uri)
        else:
            files, self.root = fs.LocalFileSystem(), str(Path(self.uri).expanduser().absolute())
        self.requests = Requests(files, without_secrets(self.uri))

    @property
    def filesystem(self) -> Any:
        """The pyarrow filesystem, which does not wait for a store that errs."""
        return self.requests.files

    @property
    def local(self) -> bool:
        """Whether this is a folder of this machine."""
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def path(self, *parts: str) -> str:
        """The full path, with the secrets that its URI may hold: to open it by, not to show."""
        folder, mark, query = (self.root, "", "") if self.local else self.uri.partition("?")
        return "/".join([folder.rstrip("/"), *parts]) + mark + query

    def shown(self, *parts: str) -> str:
        """The full path, for people."""
        return without_secrets(self.path(*parts))

    def hurried(self, most_s: float) -> Storage:
        """The same folder, asked for what can be done without: an object store is given so many seconds at most."""
        same = copy.copy(self)
        same.requests = self.requests.hurried(most_s)
        return same

    def read(self, path: str) -> bytes | None:
        """The object's bytes, or None where there is none."""
        try:
            return self._ask(lambda files: objects.read(files, self._full(path)))
        except FileNotFoundError:
            return None
        except (pa.ArrowException, OSError) as error:
            raise self._unusable("read", error) from error

    def write(self, path: str, content: bytes) -> None:
        """Writes an object whole or not at all: by temporary name and rename, or by one put."""
        if not self.local:
            full = self._full(path)
            self.requests.ask(lambda files: objects.write(files, full, content), full, len(content))
            return
        target = self.inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def names(self, path: str) -> list[str]:
        """Names directly under a folder, sorted; temporary ones left out."""
        try:
            found = self._ask(lambda files: objects.names(files, self._full(path)))
        except (pa.ArrowException, OSError) as error:
            raise self._unusable("read", error) from error
        return sorted(name for name in found if not name.startswith("."))

    def sweep_up(self, path: str) -> None:
        """Removes what a writer that was killed left under temporary names in a local folder."""
        for left in self.inside(f"{path}/-").parent.glob(".*.tmp") if self.local else ():
            left.unlink(missing_ok=True)

    def delete(self, path: str) -> None:
        """Deletes an object if it is there."""
        full = str(self.inside(path)) if self.local else self._full(path)
        with contextlib.suppress(FileNotFoundError):
            self._ask(lambda files: files.delete_file(full), full)

    def delete_folder(self, path: str) -> None:
        """Deletes a folder and all in it, if it is there."""
        full = str(self.inside(path)) if self.local else self._full(path)
        with contextlib.suppress(FileNotFoundError):
            self._ask(lambda files: files.delete_dir(full), full)

    def read_json(self, path: str) -> Any:
        """The object's JSON value, or None where there is none or it cannot be read as JSON."""
        for _ in range(1 if self.local else 2):  # a remote one is asked for its size first, and may be replaced then
            content = self.read(path)
            try:
                return None if content is None else json.loads(content)
            except (ValueError, RecursionError):
                continue
        return None

    def write_json(self, path: str, value: Any) -> None:
        """Writes a JSON value."""
        self.write(path, (json.dumps(value, indent=1, allow_nan=True) + "\n").encode())

    def inside(self, path: str) -> Path:
        """Where to write in a local storage. Raises InputError where a link in it, a stranger's say, leads out."""
        target, root = Path(self._full(path)), os.path.realpath(self.root)
        folder = os.path.realpath(target.parent)
        if os.path.commonpath([folder, root]) != root:
            raise InputError(f"storage: {target.parent} leads out of {self.root}, to {folder}; it must lie in it")
        return target

    def _ask(self, request: Callable[[Any], T], changes: str = "") -> T:
        """A local folder is asked once, an object store until it answers."""
        return request(self.filesystem) if self.local else self.requests.ask(request, changes)

    def _full(self, path: str) -> str:
        return f"{self.root}/{path}" if path else self.root

    def _unusable(self, what: str, error: Exception) -> InputError:
        return InputError(f"storage: {self.shown()} cannot be {what}: {objects.line(error)}")


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

        The result gets the sha256 of the weights.
        """
        if weights is not None:
            self.write("weights.safetensors", weights)
            result = {**result, "weights_sha256": hashlib.sha256(weights).hexdigest()}
        self.write_json("result.json", result)
        if result["status"] == "finished":
            for name in self._checkpoints():
                self.storage.delete(f"{self.folder}/{name}")

    def forget(self) -> None:
        """Deletes the run."""
        self.storage.delete_folder(self.folder)

    def _checkpoints(self) -> list[str]:
        return [name for name in self.storage.names(self.folder) if name.startswith("checkpoint-")]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
