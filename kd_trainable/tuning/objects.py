"""Requests to an object store: whole or not at all, each bounded in time, tried again while the store errs or stalls.

What was found of pyarrow's S3 client (26.0), and is mended here:

- Leaving ``with open_output_stream(...)`` by an exception, and forgetting a stream, complete the upload of what was
  written so far: half an object becomes visible. So no exception may come between opening and closing: a request runs
  in a thread of its own (bounded.py), which no Ctrl-C reaches, and hands over all bytes at once.
- Its own retries are 31 attempts, for 6 s where the store answers errors, for 99 s where it does not answer. Here they
  are off: one patience, ours, for all.
- ``request_timeout`` does act on Linux, whatever its documentation says: as the seconds in which less than a byte a
  second came (curl's low speed limit). A store that trickles is not caught by it, hence the limit on the whole request.
- A client is made, and at exit ended, only when no request is under way in the process. So there is one client for
  all attempts (each has its own connection), and at its exit a process waits for a given-up one for SILENT_S at most.
- ``allow_delayed_open`` makes one put of what is smaller than a part, not three requests of a multipart upload.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import random
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import pyarrow as pa
from pyarrow import fs

from kd_trainable.tuning.bounded import SILENT_S, bounded
from kd_trainable.tuning.text import duration
from kd_trainable.vocabulary import InputError, nearest, without_secrets

T = TypeVar("T")
Files = Any  # a pyarrow filesystem

PATIENCE_S = 300.0  # for a store that errs or stalls; KD_STORAGE_PATIENCE_S overrides it
FIRST_S = 10.0  # for one that has never answered: more likely its name is wrong
REQUEST_S = 60.0  # for a request as a whole, beside its bytes
SLOWEST = 100_000  # bytes a second, at least
PAUSES_S = (0.2, 10.0)  # the first pause between two attempts, and the longest; doubled in between
TOLD_AFTER_S = 3.0  # what passes sooner is no news
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")
SCHEMES = ("file", "s3", "gs", "gcs", "mock")  # mock: of pyarrow, in memory, for tests
PASSING = re.compile(
    r"NETWORK_CONNECTION|SLOW_DOWN|INTERNAL_FAILURE|SERVICE_UNAVAILABLE|THROTTLING|REQUEST_TIMEOUT|REQUEST_EXPIRED"
    r"|NO_SUCH_UPLOAD|HTTP status (5\d\d|429|408)|curlCode|Retry policy exhausted|UNAVAILABLE|did not end in"
)
UNMET = re.compile(r"NETWORK_CONNECTION|curlCode|Retry policy exhausted|did not end in")
_met: set[str] = set()  # stores that have answered this process, or the one that it has its storage from


def opened(uri: str) -> tuple[Files, str]:
    """The filesystem of a URI and the path in it. Raises InputError, naming what is allowed."""
    shown, scheme = without_secrets(uri), uri.partition("://")[0]
    if scheme == uri:
        allowed = "a folder (./ before a name with a colon), s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or file:///FOLDER"
        raise InputError(f"storage: {shown!r} is half a URI; must be {allowed}")
    if scheme not in SCHEMES:
        allowed = "a folder, s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or file:///FOLDER"
        raise InputError(f"storage: {shown!r}: no such scheme, {scheme}{nearest(scheme, SCHEMES)}; must be {allowed}")
    if scheme == "gs" and "retry_limit_seconds" not in uri:  # else it tries for 15 minutes
        uri += f"{'&' if '?' in uri else '?'}retry_limit_seconds={SILENT_S / 4}"
    try:
        files, path = _made(uri)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"storage: {shown!r} cannot be used: {line(error)}") from None
    if scheme != "file" and not path:
        raise InputError(f"storage: {shown!r} names no bucket; must be {scheme}://BUCKET/FOLDER")
    return files, path.rstrip("/")


@functools.lru_cache(maxsize=64)
def _made(uri: str) -> tuple[Files, str]:
    """Once a process: S3 asks where the bucket lies, and makes no client while another's request is under way."""
    files, path = bounded(lambda: fs.FileSystem.from_uri(uri), 3 * SILENT_S)
    return single_attempt(files), path


def single_attempt(files: Files) -> Files:
    """The same filesystem, anew, which tries once; other than S3's as they are."""
    if not isinstance(files, fs.S3FileSystem):
        return files
    options = files.__reduce__()[1][0]
    silent = {} if options["request_timeout"] > 0 else {"request_timeout": SILENT_S}
    once = {"retry_strategy": fs.AwsStandardS3RetryStrategy(max_attempts=1), "allow_delayed_open": True}
    return fs.S3FileSystem(**{**options, **once, **silent})


class Requests:
    """Asks a store until it answers. ``shown``: its name for people.

    Picklable, with the credentials of this process's environment, which other nodes may not have; copies are silent.
    """

    def __init__(self, files: Files, shown: str) -> None:
        self.files, self.shown, self.tells = files, shown, True
        self.late: list[tuple[str, threading.Event]] = []  # changes given up, which may arrive until it is set
        self.lock = threading.Lock()
        self.most_s = math.inf  # of patience
        self.told_at = -math.inf

    def __getstate__(self) -> dict[str, Any]:
        own = CREDENTIALS if isinstance(self.files, fs.S3FileSystem) else ()
        credentials = {name: os.environ[name] for name in own if name in os.environ}
        return {"files": self.files, "shown": self.shown, "met": self.shown in _met, "credentials": credentials}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if not any(name in os.environ for name in CREDENTIALS):  # of two identities none is whole
            os.environ.update(state["credentials"])
        self.__init__(single_attempt(state["files"]), state["shown"])  # type: ignore[misc]
        self.tells = False
        _met.update([self.shown] if state["met"] else [])

    def hurried(self, most_s: float) -> Requests:
        """The same store, with so many seconds of patience at most; what is under way is shared."""
        same = Requests.__new__(Requests)
        same.__dict__.update({**self.__dict__, "most_s": most_s})
        return same

    def ask(
        self, request: Callable[[Files], T], changes: str = "", size: int = 0, patience_s: float | None = None
    ) -> T:
        """The answer of a request that may be made again.

        ``changes``: the path it writes or deletes; ``size``: its bytes; ``patience_s``: not the usual.
        Raises FileNotFoundError, what the store refuses, and what it still answers when patience is at its end.
        """
        began, pause = time.monotonic(), PAUSES_S[0]
        usual = min(self.most_s, patience() if patience_s is None else patience_s)
        self._await_late(changes, usual)
        while True:
            try:
                answer = self._once(request, changes, REQUEST_S + size / SLOWEST)
            except (pa.ArrowException, OSError) as error:
                waited = time.monotonic() - began
                if not PASSING.search(str(error)) or waited + pause > self._patience(error, usual):
                    raise
                self._tell(error, waited)
                time.sleep(pause * random.uniform(0.5, 1.0))  # or all would come back at one moment
                pause = min(2 * pause, PAUSES_S[1])
            else:
                _met.add(self.shown)
                return answer

    def _once(self, request: Callable[[Files], T], changes: str, seconds: float) -> T:
        def given_up(ended: threading.Event) -> None:
            with self.lock:
                self.late.append((changes, ended))

        return bounded(lambda: request(self.files), seconds, given_up if changes else lambda ended: None)

    def _await_late(self, path: str, seconds: float) -> None:
        """A change that was given up may yet arrive, and must not undo a later one: so the later one waits for it."""
        if not path:
            return
        until = time.monotonic() + seconds
        with self.lock:
            before = [ended for changed, ended in self.late if _touch(changed, path)]
        for ended in before:
            ended.wait(max(0.0, until - time.monotonic()))
        with self.lock:  # the lease is renewed in a thread of its own
            self.late[:] = [(changed, ended) for changed, ended in self.late if not ended.is_set()]
        if not all(ended.is_set() for ended in before):
            raise OSError(f"an earlier request to change {path} has not ended for {duration(seconds)}")

    def _patience(self, error: Exception, usual: float) -> float:
        stranger = self.shown not in _met and UNMET.search(str(error))
        return min(usual, FIRST_S) if stranger else usual

    def _tell(self, error: Exception, waited: float) -> None:
        """Says once that it waits, whatever threads do; copies in workers do not."""
        now = time.monotonic()
        if self.tells and self.shown in _met and waited > TOLD_AFTER_S and now - self.told_at > patience():
            self.told_at = now
            still = f"trying again for up to {duration(patience())}"
            print(f"storage: {self.shown} errs or does not answer; {still}: {line(error)}", file=sys.stderr, flush=True)


def patience() -> float:
    """Seconds that a store may err or stall."""
    with contextlib.suppress(ValueError):
        return float(os.environ.get("KD_STORAGE_PATIENCE_S", ""))
    return PATIENCE_S


def read(files: Files, path: str) -> bytes:
    """An object's bytes, all of them."""
    with files.open_input_file(path) as file:
        content, size = bytes(file.read()), file.size()
    if len(content) != size:
        raise OSError(f"NETWORK_CONNECTION: {path}: {len(content)} of {size} bytes came")
    return content


def write(files: Files, path: str, content: bytes) -> None:
    """Puts an object. Nothing that can be interrupted may stand between these lines: see above."""
    stream = files.open_output_stream(path)
    stream.write(content)
    stream.close()


def names(files: Files, path: str) -> Iterable[str]:
    """Names directly under a folder; not the empty objects that pyarrow leaves in place of folders."""
    found = files.get_file_info(fs.FileSelector(path, allow_not_found=True))
    return (info.base_name for info in found if info.base_name)


def line(error: BaseException) -> str:
    """A store's error as one line without secrets."""
    return without_secrets(" ".join(str(error).split()))[:400]


def _touch(one: str, other: str) -> bool:
    """Whether the paths are the same, or one lies in the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
