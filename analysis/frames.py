"""A sweep's folder -> DataFrames, and finished tables and pictures -> that folder. The only I/O of this package.

A folder is a local path or any URI that pyarrow knows (``s3://bucket/results/sweeps/name``).
"""

from __future__ import annotations

import os
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from kd_trainable.records import EPOCH_COLUMNS, RUN_COLUMNS, Column
from kd_trainable.vocabulary import InputError


def runs(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """One row a run, columns and types of ``records.RUN_COLUMNS``; failed and stopped runs included.

    Raises InputError where there is no folder, no ``runs.parquet``, a damaged one, or one of another version.
    """
    return _read(os.fspath(folder), "runs.parquet", RUN_COLUMNS)


def epochs(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """One row a run and epoch, columns and types of ``records.EPOCH_COLUMNS``. Raises InputError as ``runs`` does."""
    return _read(os.fspath(folder), "epochs.parquet", EPOCH_COLUMNS)


def sweeps(folder: str | os.PathLike[str]) -> list[str]:
    """The folders of sweeps that have runs: ``folder`` itself where it is one, else those of a results folder.

    Raises InputError where there are none.
    """
    where = os.fspath(folder).rstrip("/")
    files, path = located(where)
    there, own = files.get_file_info([path, f"{path}/runs.parquet"])
    if own.type == fs.FileType.File:
        return [where]
    if there.type != fs.FileType.Directory:
        raise InputError(f"{where}: no such folder; give RESULTS, or a sweep's, RESULTS/sweeps/NAME")
    inner = files.get_file_info(fs.FileSelector(f"{path}/sweeps", allow_not_found=True))
    names = sorted(info.base_name for info in inner if info.type == fs.FileType.Directory)
    found = files.get_file_info([f"{path}/sweeps/{name}/runs.parquet" for name in names])
    written = [name for name, info in zip(names, found, strict=True) if info.type == fs.FileType.File]
    if not written:
        raise InputError(f"{where}: no results; there is neither runs.parquet nor sweeps/NAME/runs.parquet in it")
    return [f"{where}/sweeps/{name}" for name in written]


def typed(frame: pd.DataFrame, columns: tuple[Column, ...]) -> pd.DataFrame:
    """``frame`` with exactly ``columns``, in their order, as pandas' nullable types; NaN becomes NA.

    Raises InputError, naming them, where columns are missing or hold what their type cannot.
    """
    missing = [column.name for column in columns if column.name not in frame]
    if missing:
        first = ", ".join(missing[:4]) + (", ..." if len(missing) > 4 else "")
        raise InputError(f"missing columns: {first}: another version's; the sweep's own command makes its tables anew")
    return pd.DataFrame({column.name: _cast(frame[column.name], column) for column in columns})


def write(folder: str | os.PathLike[str], name: str, content: bytes) -> None:
    """Writes a file whole or not at all: locally by temporary name and rename, elsewhere by one put."""
    files, path = located(os.fspath(folder))
    if not isinstance(files, fs.LocalFileSystem):  # object stores cannot rename, but a put is all or nothing
        _put(files, f"{path}/{name}", content)
        return
    temporary = f"{path}/.{name}.{os.getpid()}"
    try:
        _put(files, temporary, content)
        files.move(temporary, f"{path}/{name}")
    except BaseException:
        _discard(files, temporary)
        raise


def remove(folder: str | os.PathLike[str], name: str) -> None:
    """Removes a file of the folder, if it is there."""
    files, path = located(os.fspath(folder))
    _discard(files, f"{path}/{name}")


def located(folder: str) -> tuple[Any, str]:
    """The pyarrow file system that holds ``folder``, and its path there. Raises InputError for a bad URI."""
    if "://" not in folder:
        return fs.LocalFileSystem(), os.path.abspath(os.path.expanduser(folder))
    try:
        files, path = fs.FileSystem.from_uri(folder)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{folder}: cannot be opened: {_line(error)}") from error
    return files, path.rstrip("/")


def _read(folder: str, name: str, columns: tuple[Column, ...]) -> pd.DataFrame:
    files, path = located(folder)
    where = f"{folder.rstrip('/')}/{name}"
    try:
        _require(files, path, folder, name)
        with files.open_input_file(f"{path}/{name}") as source:
            return typed(pq.read_table(source).to_pandas(), columns)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    # pyarrow answers a damaged file with any of these, by where the damage lies
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise InputError(f"{where}: cannot be read, damaged or half written: {_line(error)}") from error


def _require(files: Any, path: str, folder: str, name: str) -> None:
    there, file = files.get_file_info([path, f"{path}/{name}"])
    if there.type == fs.FileType.NotFound:
        raise InputError("no such folder; give a sweep's, such as RESULTS/sweeps/NAME")
    if file.type != fs.FileType.File:
        raise InputError(f"no such file; is {folder} a sweep's folder (RESULTS/sweeps/NAME) that has been written?")


def _cast(series: pd.Series, column: Column) -> pd.Series:
    try:
        if column.dtype == "Float64":  # by way of float64: a nullable column may hide NaN among its values
            series = series.astype("float64")
        return series.astype(pd.api.types.pandas_dtype(column.dtype))
    except (ValueError, TypeError) as error:
        raise InputError(f"column {column.name} is not {column.dtype}: {_line(error)}") from error


def _put(files: Any, path: str, content: bytes) -> None:
    with files.open_output_stream(path) as sink:
        sink.write(content)


def _discard(files: Any, path: str) -> None:
    if files.get_file_info(path).type == fs.FileType.File:
        files.delete_file(path)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
