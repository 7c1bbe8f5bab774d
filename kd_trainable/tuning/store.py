"""The run store: what is durable, on any pyarrow filesystem. One put an object: no append, no rename relied on.

runs/<spec_id>/            spec.json, lease.json, the newest two checkpoints; when finished result.json and
                           weights-<sha256>.safetensors
sweeps/<name>/             made from the runs, remade at will
teachers/<fingerprint>/    weights.safetensors, card.json
logits/<folder>/           shards
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from pyarrow import fs

from kd_trainable.tuning import objects
from kd_trainable.tuning.objects import Requests
from kd_trainable.vocabulary import InputError, without_secrets

T = TypeVar("T")
HALF_A_URI = re.compile(r"\w+:|(s3a?|gs|gcs|file)//")  # s3:/x and s3//x would be folders here, and lost with the node


class Storage:
    """A folder, local or by URI. Paths are relative to it, with forward slashes. Picklable."""

    def __init__(self, uri: str | Path) -> None:
        self.uri = str(uri)
        if "://" in self.uri or HALF_A_URI.match(self.uri):
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
