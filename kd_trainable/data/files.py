"""The published files of a data set: in a folder that the user gives, which is only read, or in a cache.

A file is taken only if it is whole: its md5 is the published one, or, where none is known, it is there.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from kd_trainable.vocabulary import InputError


class Published(NamedTuple):
    """``dataset`` as the table names it, ``title`` as people do; ``url`` is where it comes from.

    ``folder`` holds the files that ``md5s`` names, with '' for one whose md5 is not known; ``fetch`` is given an
    empty folder and puts ``folder`` into it, or raises OSError or RuntimeError. ``also`` are further folders that a
    user's files may lie in; where ``gzipped``, these may be unpacked when ours are not, and the other way round;
    ``otherwise`` names what serves in place of ``folder``.
    """

    dataset: str
    title: str
    url: str
    folder: str
    md5s: Mapping[str, str]
    fetch: Callable[[Path], None]
    also: tuple[str, ...] = ()
    gzipped: bool = False
    otherwise: str = ""

    @property
    def advice(self) -> str:
        """What a user can do without a network."""
        return f"give --data-dir a folder that holds {self.folder}{self.otherwise and ' or ' + self.otherwise}"


class Found(NamedTuple):
    """Where the files lie, and those that do, in the order in which they were asked for, with the md5s they have."""

    folder: Path
    md5s: dict[str, str]

    def paths(self) -> list[Path]:
        """The files."""
        return [self.folder / name for name in self.md5s]

    def known(self) -> dict[str, str]:
        """The md5s that were compared."""
        return {name: md5 for name, md5 in self.md5s.items() if md5}


def files_of(published: Published, data_dir: str | Path | None, download: bool) -> Found:
    """The whole files: those in ``data_dir``, or else those in the cache, which may be filled if ``download`` allows.

    ``data_dir`` holds ``published.folder``, or is that folder. The cache lies in
    ``$XDG_CACHE_HOME/kd_trainable/DATASET`` (default ``~/.cache``). Raises InputError, in one line, where files are
    missing or damaged, and where there is no network.
    """
    if data_dir is None:
        return Found(_cached(published, download), dict(published.md5s))
    return _given(published, given_folder(data_dir, published.advice))


def given_folder(data_dir: str | Path | None, advice: str) -> Path:
    """``data_dir`` as a folder that is there. Raises InputError, which ends in ``advice``."""
    if data_dir is None:
        raise InputError(f"data_dir: none given; {advice}")
    root = Path(data_dir).expanduser()
    if not root.is_dir():
        raise InputError(f"data_dir: {str(root)!r} is not a folder; {advice}")
    return root


def _given(published: Published, root: Path) -> Found:
    for folder in (root / inner for inner in (published.folder, *published.also, "")):
        found = Found(folder, dict(_standing(published, folder, name) for name in published.md5s))
        if not any(path.exists() for path in found.paths()):
            continue
        if problem := _problem(*found):
            raise InputError(f"data_dir: {problem}; {published.advice}, or leave it out to download")
        return found
    raise InputError(f"data_dir: {str(root)!r} holds no {published.title}; {published.advice}")


def _standing(published: Published, folder: Path, name: str) -> tuple[str, str]:
    """(name, md5) of the file called ``name``, or of the same gzipped or unpacked where only that is there."""
    other = name.removesuffix(".gz") if name.endswith(".gz") else f"{name}.gz"
    if published.gzipped and not (folder / name).exists() and (folder / other).exists():
        return other, ""
    return name, published.md5s[name]


def _problem(folder: Path, md5s: Mapping[str, str]) -> str | None:
    """What is wrong with the first file of ``folder`` that is not as published, or None."""
    for name, md5 in md5s.items():
        try:
            (folder / name).stat()
            found = _md5(folder / name) if md5 else ""
        except OSError as error:
            return f"{folder / name} cannot be read ({error.strerror})"
        if found != md5:
            return f"{folder / name} is damaged: its md5 is {found}, not {md5}"
    return None


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _cached(published: Published, download: bool) -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "kd_trainable" / published.dataset
    folder, name = root / published.folder, published.dataset
    if (problem := _problem(folder, published.md5s)) is None:
        return folder
    if not download:
        raise InputError(f"dataset: {name}: {problem}, and downloading was not allowed; {published.advice}")
    try:
        _download(published, root)
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"dataset: {name}: no download from {published.url} to {root} ({reason}); "
            f"without a network, {published.advice}"
        ) from error
    return folder


def _download(published: Published, root: Path) -> None:
    """Fills the cache, file by file, with whole files only.

    All is fetched and unpacked in a temporary folder, which also goes when it fails or is interrupted: nothing half
    done is ever found at the next start, and two processes that download at once do not meet.
    """
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="download-", dir=root) as temporary:
        published.fetch(Path(temporary))
        unpacked, folder = Path(temporary) / published.folder, root / published.folder
        if problem := _problem(unpacked, published.md5s):
            raise RuntimeError(problem)
        folder.mkdir(parents=True, exist_ok=True)
        for name in published.md5s:
            # A folder came here whole, by one rename, so one that is here already is whole too.
            if not ((unpacked / name).is_dir() and (folder / name).exists()):
                (unpacked / name).replace(folder / name)
