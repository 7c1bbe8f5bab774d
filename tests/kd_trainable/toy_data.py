"""Tiny data sets in the published formats, and a server on this machine that stands in for where they come from."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kd_trainable.data.images import ImageData
from kd_trainable.vocabulary import InputError

Change = Callable[[Path], Any]  # what a test does to a whole data set


def one_line(caught: pytest.ExceptionInfo[InputError], *said: str) -> None:
    line = str(caught.value)
    assert "\n" not in line
    for words in said:
        assert words in line


def bytes_of(seed: int, *shape: int) -> Any:
    """Random levels, 0..255."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def idx(array: np.ndarray) -> bytes:
    """An idx file of unsigned bytes."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.astype(np.uint8).tobytes()


def gz(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def picture(path: Path, pixels: np.ndarray) -> Path:
    """A picture file of [H, W] grey or [H, W, 3] coloured pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def put(name: str, content: bytes | str) -> Change:
    """Writes a file below the folder it is given."""
    return lambda root: (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def same_arrays(one: ImageData, other: ImageData) -> bool:
    return one.fingerprint() == other.fingerprint()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address under which the folder's files can be downloaded."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """An address that is bound and not listened at: every connection is refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"
