"""From a data set's name to its arrays."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kd_trainable.data import DATASETS
from kd_trainable.data.images import ImageData
from kd_trainable.vocabulary import InputError, require_known

_ALLOWED = "a callable that returns an ImageData, as package.module:callable"


def load(name: str, data_dir: str | Path | None = None, download: bool = True) -> ImageData:
    """The data set ``name``: a line of the table or anyone's own ``package.module:callable``.

    ``data_dir`` is a folder that holds the data already; without it the data set uses its cache folder, and
    ``download`` says whether it may fill that. A loader is given whichever of the two keywords it accepts.
    Raises InputError, in one line, for a name that leads nowhere, for data that is not there, and where the
    arrays of a data set of the table are not the ones that the table pins.
    """
    if ":" not in name:
        require_known("dataset", name, DATASETS, also=", or package.module:callable")
    loader = _find(DATASETS[name].target if name in DATASETS else name)
    data = _call(loader, name, {"data_dir": data_dir, "download": download})
    if not isinstance(data, ImageData):
        raise InputError(f"dataset: {name!r} returned {type(data).__name__}; allowed: {_ALLOWED}")
    if name in DATASETS:
        _require_pinned(name, data)
    return data


def _require_pinned(name: str, data: ImageData) -> None:
    """A plan names its runs by the pinned fingerprint, so other pixels would file results under a false name."""
    found, pinned = data.fingerprint(), DATASETS[name].fingerprint
    if found != pinned:
        raise InputError(f"dataset: {name}: the loaded arrays have fingerprint {found}; allowed: {pinned}")


def _find(target: str) -> Callable[..., Any]:
    path, _, attribute = target.partition(":")
    try:
        found = getattr(importlib.import_module(path), attribute, None)
    except Exception as error:  # whatever a person's own module raises while it is imported
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise InputError(f"dataset: {target!r}: cannot import {path!r} ({reason}); allowed: {_ALLOWED}") from error
    if found is None:
        raise InputError(f"dataset: {target!r}: module {path!r} has no {attribute!r}; allowed: {_ALLOWED}")
    if not callable(found):
        raise InputError(f"dataset: {target!r} is {type(found).__name__}, not callable; allowed: {_ALLOWED}")
    return found


def _call(loader: Callable[..., Any], name: str, offered: dict[str, Any]) -> Any:
    try:
        signature = inspect.signature(loader)
        takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values())
        given = {key: value for key, value in offered.items() if takes_any or key in signature.parameters}
        signature.bind(**given)
    except (TypeError, ValueError) as error:  # ValueError: a builtin that does not say what it takes
        words = " and ".join(offered)
        raise InputError(f"dataset: {name!r} cannot be called with {words}: {error}; allowed: {_ALLOWED}") from error
    return loader(**given)
