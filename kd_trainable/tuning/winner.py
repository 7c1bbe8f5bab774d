"""A finished run out of the run store, to be exported, and the folder that its export goes into. No Ray."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kd_trainable.export.files import CARD
from kd_trainable.export.student import Trained
from kd_trainable.spec import RunSpec
from kd_trainable.tuning.store import RunFolder, Storage
from kd_trainable.vocabulary import InputError, nearest


def root(results: str) -> Storage:
    """The results folder that ``results`` is, or is a sweep's in (RESULTS/sweeps/NAME)."""
    found = Storage(results)
    above, _, name = found.path().rstrip("/").rpartition("/sweeps/")
    return Storage(above) if above and "/" not in name and not found.names("runs") else found


def sweep_of(storage: Storage, name: str) -> str:
    """The first sweep, by name, whose tables list the run; '' where none does."""
    listing = (
        sweep for sweep in storage.names("sweeps") if name in (storage.read_json(f"sweeps/{sweep}/ids.json") or [])
    )
    return next(listing, "")


def full_name(storage: Storage, name: str) -> str:
    """The run whose spec_id is ``name`` or begins so. Raises InputError where there is none, or several."""
    there = storage.names("runs")
    found = [run for run in there if run == name] or [run for run in there if name and run.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"run: {name!r} is the beginning of {len(found)} runs: {', '.join(found[:4])}")
    what = f"{len(there)} runs, none of that name{nearest(name, there)}" if there else "no runs"
    raise InputError(f"run: {name!r} is not in {storage.path('runs')}, which holds {what}; must be a spec_id")


def trained(storage: Storage, name: str) -> Trained:
    """The finished run ``name``. Raises InputError for any other, and where its weights are not there or changed."""
    result = RunFolder(storage, name).result()
    status = "unfinished" if result is None else result["status"]
    if result is None or status != "finished":
        raise InputError(f"run: {name} is {status}; only a finished run has weights to export")
    path = f"runs/{name}/weights.safetensors"
    weights = storage.read(path)
    if weights is None:
        raise InputError(f"run: {name}: no weights, {storage.path(path)} is missing")
    recorded = result.get("weights_sha256")  # results of earlier versions have none
    if recorded is not None and hashlib.sha256(weights).hexdigest() != recorded:
        raise InputError(f"run: {name}: {storage.path(path)} is damaged: its sha256 is not the one its result says")
    try:
        return Trained(name, RunSpec(**result["spec"]), result, weights)
    except TypeError as error:
        raise InputError(f"run: {name} was written by another version: {error}") from None


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
                Path(_where(storage, folder)).rmdir()
        reason = " ".join(str(error.strerror or error).split())
        raise InputError(f"out: {_where(storage, folder)} cannot be written: {reason}") from None


def _where(storage: Storage, folder: str) -> str:
    return storage.path(folder) if folder else storage.path()


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
