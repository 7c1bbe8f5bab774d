"""Folders by path or by URI: what lies below one, what it is called, and the pyarrow filesystem that holds it.

A URI may have a query (``s3://bucket/results?endpoint_override=127.0.0.1:9000&scheme=http``), which stays at its end,
and a key and a secret, which are not shown.
"""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
from pyarrow import fs

from kd_trainable.vocabulary import InputError, without_secrets


def below(folder: str, *names: str) -> str:
    """A path or URI in a folder; without names the folder itself, less slashes at its end."""
    path, mark, query = folder.partition("?") if "://" in folder else (folder, "", "")
    return "/".join([path.rstrip("/"), *names]) + mark + query


def above(path: str) -> tuple[str, str]:
    """A file's folder, and its name in it."""
    where, mark, query = path.partition("?") if "://" in path else (path, "", "")
    folder, _, name = where.rpartition("/")
    return (folder or ("/" if path.startswith("/") else ".")) + mark + query, name


def name_of(folder: str) -> str:
    """A folder's own name."""
    return above(below(folder))[1]


def located(folder: str) -> tuple[Any, str]:
    """The pyarrow file system that holds ``folder``, and its path there. Raises InputError for a bad URI."""
    if "://" not in folder:
        return fs.LocalFileSystem(), os.path.abspath(os.path.expanduser(folder))
    try:
        files, path = _opened(folder)
    except (pa.ArrowException, OSError, ValueError) as error:
        line = " ".join(str(error).split())[:200]
        raise InputError(without_secrets(f"{folder}: cannot be opened: {line}")) from error
    if not path:
        raise InputError(f"{without_secrets(folder)}: names no bucket; must be as s3://BUCKET/FOLDER")
    return files, path.rstrip("/")


@functools.lru_cache(maxsize=64)  # S3 without a region is asked for it each time
def _opened(uri: str) -> tuple[Any, str]:
    small = f"{'&' if '?' in uri else '?'}allow_delayed_open=true"  # one put of what is small, not three requests
    found: tuple[Any, str] = fs.FileSystem.from_uri(uri + (small if uri.startswith("s3:") else ""))
    return found


def put(files: Any, path: str, content: bytes) -> None:
    """Writes an object, in a thread, which no Ctrl-C reaches: an upload that is left by an exception would be completed
    with what there is of it."""
    with ThreadPoolExecutor(1) as alone:
        alone.submit(_stream, files, path, content).result()


def _stream(files: Any, path: str, content: bytes) -> None:
    sink = files.open_output_stream(path)
    sink.write(content)
    sink.close()
