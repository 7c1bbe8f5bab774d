"""Folders of sweeps -> tidy DataFrames, and finished tables and pictures -> a folder. The only I/O of this package.

A folder is a sweep's (RESULTS/sweeps/NAME) or a whole results folder, with all of its sweeps; a local path or any URI
that pyarrow knows (``s3://bucket/results``). A sweep may be at work in it: its files are replaced by rename, so each
is of one moment, and two of them may be of different moments.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import pandas as pd
import pyarrow.parquet as pq
from pyarrow import fs

from analysis.columns import checked, typed
from analysis.places import below, located, name_of, put
from analysis.strangers import plain
from kd_trainable.records import EPOCH_COLUMNS, RUN_COLUMNS, Column
from kd_trainable.vocabulary import InputError

Folder = str | os.PathLike[str]
T = TypeVar("T")
SWEEP_FORMAT = 1
RETRY_S = 0.1
MOST_ROWS = 20_000_000  # a table of one value in a row is small as a file, whatever its length
UNREADABLE = (Exception,)  # pyarrow and pandas answer a damaged file with any, by where the damage lies


def runs(*folders: Folder) -> pd.DataFrame:
    """One row a run, columns and types of ``records.RUN_COLUMNS`` and ``sweep``; failed and stopped runs included.

    A run that several tables list has one row, of a finished one rather than another, else of the one with most
    epochs; ``sweep`` names all of them, ', ' between. Raises InputError, naming the file, where there are no results,
    or any table is damaged or of another version.
    """
    tables = [_runs(sweep).assign(sweep=_name(sweep)) for sweep in _sweeps(folders)]
    together = pd.concat(tables, ignore_index=True).astype({"sweep": "string"})
    rank = pd.DataFrame({"finished": together["status"].eq("finished").fillna(False), "epochs": together["epochs_run"]})
    ranked = together.loc[rank.fillna({"epochs": 0}).sort_values([*rank], ascending=False, kind="stable").index]
    kept = ranked.drop_duplicates("spec_id").sort_index().reset_index(drop=True)
    if len(kept) < len(together):
        names = together.groupby("spec_id")["sweep"].agg(lambda names: ", ".join(dict.fromkeys(names)))
        kept["sweep"] = kept["spec_id"].map(names).astype("string")
    return kept


def epochs(*folders: Folder) -> pd.DataFrame:
    """One row a run and epoch, columns and types of ``records.EPOCH_COLUMNS``; none where nothing was written yet.

    Of a run that several tables list, the epochs of the one that has most. Every row is of a run of ``runs``: one
    that has begun since that table was written waits for the next. Raises InputError as ``runs`` does.
    """
    found = _sweeps(folders)
    known = pd.concat([_runs(sweep)["spec_id"] for sweep in found])
    tables = [_epochs(sweep).assign(table=position) for position, sweep in enumerate(found)]
    together = pd.concat(tables, ignore_index=True).drop_duplicates(["table", "spec_id", "epoch"])
    together = together[together["spec_id"].isin(known)]
    lengths = together.groupby(["spec_id", "table"], as_index=False).size()
    longest = lengths.sort_values("size", ascending=False, kind="stable").drop_duplicates("spec_id")
    kept = together["table"].eq(together["spec_id"].map(longest.set_index("spec_id")["table"]))
    return together.loc[kept, [column.name for column in EPOCH_COLUMNS]].reset_index(drop=True)


def sweeps(folder: Folder) -> list[str]:
    """The folders of sweeps that have runs: ``folder`` itself where it is one, else those of a results folder.

    Raises InputError where there are none.
    """
    where = below(os.fspath(folder))
    files, path = located(where)
    there, own = _info(files, where, [path, f"{path}/runs.parquet"])
    if own.type != fs.FileType.NotFound:
        return [where]
    if there.type != fs.FileType.Directory:
        what = "no such folder" if there.type == fs.FileType.NotFound else "not a folder"
        raise InputError(f"{where}: {what}; give RESULTS, or a sweep's, RESULTS/sweeps/NAME")
    inner = _info(files, where, fs.FileSelector(f"{path}/sweeps", allow_not_found=True))
    names = sorted(info.base_name for info in inner if info.type == fs.FileType.Directory)
    found = _info(files, where, [f"{path}/sweeps/{name}/runs.parquet" for name in names])
    written = [name for name, info in zip(names, found, strict=True) if info.type != fs.FileType.NotFound]
    if not written:
        raise InputError(f"{where}: no results; there is neither runs.parquet nor sweeps/NAME/runs.parquet in it")
    return [below(where, "sweeps", name) for name in written]


def about(folder: Folder) -> dict[str, Any]:
    """What a sweep's folder says of it (``sweep.json``: question, command, recipe, teacher's card); {} without one.

    A results folder has none. Raises InputError where the file is damaged or of another version.
    """
    where = below(os.fspath(folder), "sweep.json")
    files, path = located(os.fspath(folder))
    try:
        content = _again(lambda: _bytes(files, f"{path}/sweep.json"))
        said = plain(json.loads(content, parse_constant=lambda _: None)) if content is not None else {}
    except UNREADABLE as error:
        raise InputError(f"{where}: {_unreadable(error)}") from error
    if not isinstance(said, dict) or (content is not None and said.get("sweep_format") != SWEEP_FORMAT):
        written = said.get("sweep_format") if isinstance(said, dict) else said
        raise InputError(f"{where}: sweep_format is {written!r:.40}; this version reads {SWEEP_FORMAT}")
    if not isinstance(said.get("began"), str | None) or not _is_time(said.get("began")):
        raise InputError(f"{where}: began is {said['began']!r:.40}; it must be a time as 2025-11-20T10:00:00+00:00")
    return said


def _is_time(text: str | None) -> bool:
    try:
        return not text or 1970 <= datetime.fromisoformat(text).year < 2200
    except ValueError:
        return False


def write(folder: Folder, name: str, content: bytes) -> None:
    """Writes a file whole or not at all: locally by temporary name and rename, elsewhere by one put."""
    files, path = located(os.fspath(folder))
    if not isinstance(files, fs.LocalFileSystem):  # object stores cannot rename, but a put is all or nothing
        put(files, f"{path}/{name}", content)
        return
    temporary = f"{path}/.{name}.{uuid.uuid4().hex}"  # that nobody can have made a link of before
    try:
        _put(files, temporary, content)
        files.move(temporary, f"{path}/{name}")
    except BaseException:
        _discard(files, temporary)
        raise


def remove(folder: Folder, name: str) -> None:
    """Removes a file of the folder, if it is there."""
    files, path = located(os.fspath(folder))
    _discard(files, f"{path}/{name}")


def _sweeps(folders: tuple[Folder, ...]) -> list[str]:
    """Those of all folders, each once."""
    if not folders:
        raise InputError("no folder was given; give RESULTS, or a sweep's, RESULTS/sweeps/NAME")
    found = [sweep for folder in folders for sweep in sweeps(folder)]
    return list({(files.type_name, path): sweep for sweep in found for files, path in [located(sweep)]}.values())


def _name(sweep: str) -> str:
    return name_of(sweep)


def _runs(sweep: str) -> pd.DataFrame:
    found = _read(sweep, "runs.parquet", RUN_COLUMNS)
    if found is None:
        raise InputError(f"{below(sweep, 'runs.parquet')}: it was there a moment ago, and is gone")
    return found


def _epochs(sweep: str) -> pd.DataFrame:
    found = _read(sweep, "epochs.parquet", EPOCH_COLUMNS)
    return typed(pd.DataFrame(columns=[c.name for c in EPOCH_COLUMNS]), EPOCH_COLUMNS) if found is None else found


def _read(sweep: str, name: str, columns: tuple[Column, ...]) -> pd.DataFrame | None:
    """A table as it should be, None where there is none."""
    files, path = located(sweep)
    try:
        content = _again(lambda: _table(files, f"{path}/{name}"))
        return None if content is None else checked(content, columns)
    except InputError as error:
        raise InputError(f"{below(sweep, name)}: {error}") from error
    except UNREADABLE as error:
        raise InputError(f"{below(sweep, name)}: {_unreadable(error)}") from error


def _table(files: Any, path: str) -> pd.DataFrame | None:
    kind = files.get_file_info(path).type
    if kind == fs.FileType.NotFound:
        return None
    if kind == fs.FileType.Directory:
        raise InputError("it is a folder, not a file")
    with files.open_input_file(path) as source:
        if (rows := pq.read_metadata(source).num_rows) > MOST_ROWS:
            raise InputError(f"it has {rows:,} rows; allowed: up to {MOST_ROWS:,}")
        return pq.read_table(source).to_pandas()


def _bytes(files: Any, path: str) -> bytes | None:
    if files.get_file_info(path).type == fs.FileType.NotFound:
        return None
    with files.open_input_stream(path) as source:
        return bytes(source.read())


def _again(read: Callable[[], T]) -> T:
    """A second try for what cannot be read: of a sweep at work, the file may just have been replaced."""
    try:
        return read()
    except UNREADABLE:
        time.sleep(RETRY_S)
        return read()


def _info(files: Any, where: str, what: Any) -> Any:
    try:
        return files.get_file_info(what)
    except UNREADABLE as error:
        raise InputError(f"{where}: {_unreadable(error)}") from error


def _unreadable(error: BaseException) -> str:
    if isinstance(error, PermissionError):
        return "cannot be read: permission denied"
    return f"cannot be read, damaged or half written: {_line(error)}"


def _put(files: Any, path: str, content: bytes) -> None:
    with files.open_output_stream(path) as sink:
        sink.write(content)


def _discard(files: Any, path: str) -> None:
    if files.get_file_info(path).type == fs.FileType.File:
        files.delete_file(path)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
