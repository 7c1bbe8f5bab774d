"""The run store: what is durable, on any pyarrow filesystem. One put an object: no append, no rename relied on.

runs/<spec_id>/            spec.json, lease.json, the newest two checkpoints; when finished result.json and weights
sweeps/<name>/             made from the runs, remade at will
teachers/<fingerprint>/    weights.safetensors, card.json
logits/<folder>/           shards
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs

from kd_trainable.vocabulary import InputError


class Fenced(RuntimeError):
    """A successor has taken this run over; whoever sees this must write nothing more."""


class Storage:
    """A folder, local or by URI. Paths are relative to it, with forward slashes. Picklable."""

    def __init__(self, uri: str | Path) -> None:
        self.uri = str(uri)
        try:
            if "://" in self.uri:
                self.filesystem, self.root = fs.FileSystem.from_uri(self.uri)
            else:
                self.filesystem, self.root = fs.LocalFileSystem(), str(Path(self.uri).expanduser().absolute())
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f"storage: {self.uri!r} cannot be used: {_line(error)}") from None

    @property
    def local(self) -> bool:
        """Whether this is a folder of this machine."""
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def path(self, *parts: str) -> str:
        """The full path, for people."""
        folder, mark, query = (self.root, "", "") if self.local else self.uri.partition("?")
        return "/".join([folder.rstrip("/"), *parts]) + mark + query

    def read(self, path: str) -> bytes | None:
        """The object's bytes, or None where there is none."""
        try:
            with self.filesystem.open_input_file(self._full(path)) as file:
                content: bytes = file.read()
                return content
        except FileNotFoundError:
            return None
        except (pa.ArrowException, OSError) as error:
            raise self._unusable("read", error) from error

    def write(self, path: str, content: bytes) -> None:
        """Writes an object whole or not at all: by temporary name and rename, or by one put."""
        if not self.local:
            with self.filesystem.open_output_stream(self._full(path)) as stream:
                stream.write(content)
            return
        target = Path(self._full(path))
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
        selector = fs.FileSelector(self._full(path), allow_not_found=True)
        try:
            names = [info.base_name for info in self.filesystem.get_file_info(selector)]
        except (pa.ArrowException, OSError) as error:
            raise self._unusable("read", error) from error
        return sorted(name for name in names if not name.startswith("."))

    def sweep_up(self, path: str) -> None:
        """Removes what a writer that was killed left under temporary names in a local folder."""
        for left in Path(self._full(path)).glob(".*.tmp") if self.local else ():
            left.unlink(missing_ok=True)

    def delete(self, path: str) -> None:
        """Deletes an object if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self.filesystem.delete_file(self._full(path))

    def delete_folder(self, path: str) -> None:
        """Deletes a folder and all in it, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self.filesystem.delete_dir(self._full(path))

    def read_json(self, path: str) -> Any:
        """The object's JSON value, or None where there is none or it cannot be read as JSON."""
        content = self.read(path)
        try:
            return None if content is None else json.loads(content)
        except ValueError:
            return None

    def write_json(self, path: str, value: Any) -> None:
        """Writes a JSON value."""
        self.write(path, (json.dumps(value, indent=1, allow_nan=True) + "\n").encode())

    def _full(self, path: str) -> str:
        return f"{self.root}/{path}" if path else self.root

    def _unusable(self, what: str, error: Exception) -> InputError:
        return InputError(f"storage: {self.path()} cannot be {what}: {_line(error)}")


class RunFolder:
    """runs/<spec_id>: the state of one run, written by the attempt that holds its lease."""

    def __init__(self, storage: Storage, spec_id: str) -> None:
        self.storage, self.folder = storage, f"runs/{spec_id}"
        self.token = ""

    def result(self) -> dict[str, Any] | None:
        """How the run ended, with its epochs; None where it has not."""
        found = self.storage.read_json(f"{self.folder}/result.json")
        return found if isinstance(found, dict) and "status" in found else None

    def attempts(self) -> int:
        """How many attempts there were so far."""
        lease = self.storage.read_json(f"{self.folder}/lease.json")
        return int(lease["attempt"]) if isinstance(lease, dict) else 0

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

    def write(self, name: str, content: bytes) -> None:
        """Writes a file of the run. Raises Fenced when a later attempt has the lease."""
        lease = self.storage.read_json(f"{self.folder}/lease.json")
        if not isinstance(lease, dict) or lease.get("token") != self.token:
            raise Fenced(f"{self.folder}: another attempt has taken over")
        self.storage.write(f"{self.folder}/{name}", content)

    def write_json(self, name: str, value: Any) -> None:
        """``write`` for a JSON value."""
        self.write(name, (json.dumps(value, indent=1) + "\n").encode())

    def save_checkpoint(self, epoch: int, content: bytes) -> None:
        """Writes a checkpoint, named by epoch and by its own hash, and keeps the newest two."""
        self.write(f"checkpoint-{epoch:06d}-{_digest(content)}.safetensors", content)
        for old in self._checkpoints()[:-2]:
            self.storage.delete(f"{self.folder}/{old}")

    def checkpoints(self) -> Iterator[bytes]:
        """The checkpoints whose bytes are the ones their names speak of, newest first."""
        for name in reversed(self._checkpoints()):
            content = self.storage.read(f"{self.folder}/{name}")
            if content is not None and name.split("-")[2].split(".")[0] == _digest(content):
                yield content

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


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
