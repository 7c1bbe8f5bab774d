"""A finished run out of the run store, to be exported, and the folder that its export goes into. No Ray."""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kd_trainable.export.files import CARD
from kd_trainable.export.student import Trained
from kd_trainable.spec import RunSpec
from kd_trainable.teacher import MOST_CLASSES
from kd_trainable.tuning.run_folder import RunFolder, weights_name
from kd_trainable.tuning.sound import is_name
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError, nearest

SHA256 = re.compile("[0-9a-f]{64}")
MOST_PIXELS, MOST_NUMBERS = 4096, 1 << 22  # of an image: a side, and all of its numbers


def root(results: str) -> Storage:
    """The results folder that ``results`` is, or is a sweep's in (RESULTS/sweeps/NAME)."""
    found = Storage(results)
    path, mark, query = (found.root, "", "") if found.local else found.path().partition("?")
    above, _, name = path.rstrip("/").rpartition("/sweeps/")
    return Storage(above + mark + query) if above and "/" not in name and not found.names("runs") else found


def sweep_of(storage: Storage, name: str) -> str:
    """The first sweep, by name, whose tables list the run; '' where none does."""
    listed = {sweep: storage.read_json(f"sweeps/{sweep}/ids.json") for sweep in storage.names("sweeps")}
    return next((sweep for sweep, ids in listed.items() if isinstance(ids, list) and name in ids), "")


def full_name(storage: Storage, name: str) -> str:
    """The run whose spec_id is ``name`` or begins so. Raises InputError where there is none, or several."""
    there = storage.names("runs")
    found = [run for run in there if run == name] or [run for run in there if name and run.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"run: {name!r} is the beginning of {len(found)} runs: {', '.join(found[:4])}")
    what = f"{len(there)} runs, none of that name{nearest(name, there)}" if there else "no runs"
    raise InputError(f"run: {name!r} is not in {storage.shown('runs')}, which holds {what}; must be a spec_id")


def trained(storage: Storage, name: str) -> Trained:
    """The finished run ``name``. Raises InputError for any other, and where its weights are not there or changed."""
    if not is_name(name):
        raise InputError(f"run: {name!r} is no name of a run; must be a spec_id")
    result = RunFolder(storage, name).result()
    status = "unfinished" if result is None else result["status"]
    if result is None or status != "finished":
        raise InputError(f"run: {name} is {status}; only a finished run has weights to export")
    weights = _weights(storage, name, result.get("weights_sha256"))
    _require_exportable(name, result)
    try:
        return Trained(name, RunSpec(**result["spec"]), result, weights)
    except TypeError as error:
        raise InputError(f"run: {name} was written by another version: {error}") from None


def _weights(storage: Storage, name: str, sha256: Any) -> bytes:
    """The weights that a result speaks of; those of earlier versions have a fixed name, and some no sha256."""
    if sha256 is not None and not (isinstance(sha256, str) and SHA256.fullmatch(sha256)):
        raise InputError(f"run: {name}: its result.json says weights_sha256 is {str(sha256)[:80]!r}: damaged")
    named = [f"runs/{name}/{weights_name(sha256)}"] if sha256 else []
    paths = [*named, f"runs/{name}/weights.safetensors"]
    found = ((path, content) for path in paths if (content := storage.read(path)) is not None)
    path, weights = next(found, (paths[0], None))
    if weights is None:
        raise InputError(f"run: {name}: no weights, {storage.shown(path)} is missing")
    if sha256 and hashlib.sha256(weights).hexdigest() != sha256:
        raise InputError(f"run: {name}: {storage.shown(path)} is damaged: its sha256 is not the one its result says")
    return weights


def _require_exportable(name: str, result: Mapping[str, Any]) -> None:
    """Raises InputError unless the result says what a card does; a network of what it says is built."""
    for column in ("parameters", "test_accuracy_last"):
        if result.get(column) is None:
            raise InputError(f"run: {name}: its result.json has no {column}: damaged, or of another version")
    if "sees" in result and not _is_sight(result["sees"]):
        raise InputError(f"run: {name}: its result.json says sees is {str(result['sees'])[:80]}: damaged")


def _is_sight(sees: Any) -> bool:
    """Whether ``sees`` is a shape (C, H, W), a number of classes, and a mean and a positive std for each channel."""
    try:
        shape, classes, mean, std = (sees[key] for key in ("shape", "classes", "mean", "std"))
        sizes = [type(size) is int and 0 < size <= MOST_PIXELS for size in shape]
        numbers = all(math.isfinite(value) for value in (*mean, *std)) and min(std) > 0
        return (
            len(sizes) == 3 and all(sizes) and math.prod(shape) <= MOST_NUMBERS
            and type(classes) is int and 1 < classes <= MOST_CLASSES
            and numbers and len(mean) == len(std) == shape[0]
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, OverflowError):
        return False


def before(storage: Storage, folder: str, name: str) -> Mapping[str, Any] | None:
    """The card of an earlier export of run ``name`` in the folder; None where that is empty.

    Raises InputError for a folder that holds anything else: its files might be overwritten.
    """
    there = storage.names(folder)
    if not there:
        return None
    card = storage.read_json(_join(folder, CARD))
    if not isinstance(card, dict) or "export_format" not in card:
        raise InputError(f"out: {_where(storage, folder)} holds other files; must be a new or empty folder")
    if card.get("spec_id") != name:
        raise InputError(
            f"out: {_where(storage, folder)} holds the export of run {card.get('spec_id')}; give another one"
        )
    return card


def put(storage: Storage, folder: str, files: Mapping[str, bytes]) -> None:
    """Writes the files of an export, in their order. Where that fails those that are new are deleted again."""
    new = [name for name in files if name not in storage.names(folder)]
    try:
        for name, content in files.items():
            storage.write(_join(folder, name), content)
    except OSError as error:
        for name in new:
            with contextlib.suppress(OSError):
                storage.delete(_join(folder, name))
        if storage.local:
            with contextlib.suppress(OSError):
                Path(storage.path(*filter(None, [folder]))).rmdir()
        reason = " ".join(str(error.strerror or error).split())
        raise InputError(f"out: {_where(storage, folder)} cannot be written: {reason}") from None


def _where(storage: Storage, folder: str) -> str:
    return storage.shown(*filter(None, [folder]))


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
