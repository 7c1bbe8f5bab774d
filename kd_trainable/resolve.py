"""From a name to the callable behind it: a line of a table, or anyone's own ``package.module:callable``. No torch."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from kd_trainable.vocabulary import DatasetEntry, InputError, MethodEntry, ModelEntry, require_known

Entry = DatasetEntry | MethodEntry | ModelEntry
TORCHVISION = "torchvision:"  # torchvision:NAME is a network of a library, not a person's own


def is_own(name: str) -> bool:
    """Whether a name stands for somebody's own code, which runs when it is imported."""
    return ":" in name and not name.startswith(TORCHVISION)


def require_said(field: str, name: str, said: str | None, where: str, flag: str) -> None:
    """Raises InputError for own code that a file names, unless the person has ``said`` the very same name."""
    if is_own(name) and name != said:
        raise InputError(
            f"{field}: {where} names own code, {name!r}, which runs only where you name it too: "
            f"{flag} {shlex.quote(name)}, if you trust it"
        )


def find_own(names: Iterable[object]) -> None:
    """Lets Python find modules in the current folder if any of the names is a person's own code, which may lie there.

    Else not: what is lying there may be a stranger's, and called as a module that some package looks for.
    """
    if any(is_own(str(name)) for name in names):
        sys.path.append(os.getcwd())


def resolve(field: str, name: str, table: Mapping[str, Entry], kind: str) -> Callable[..., Any]:
    """The callable that ``name`` stands for; ``kind`` says in words what it must be.

    Raises InputError, in one line with field, name and what is allowed, for a name that leads nowhere.
    """
    if ":" not in name:
        require_known(field, name, table, also=", or package.module:callable")
    target = table[name].target if name in table else name
    path, _, attribute = target.partition(":")
    try:
        found = getattr(importlib.import_module(path), attribute, None)
    except Exception as error:  # whatever a person's own module raises while it is imported
        reason = f"cannot import {path!r} ({type(error).__name__}: {' '.join(str(error).split())})"
        raise _refuse(field, target, f": {reason}", kind) from error
    if found is None:
        raise _refuse(field, target, f": module {path!r} has no {attribute!r}", kind)
    if not callable(found):
        raise _refuse(field, target, f" is {type(found).__name__}, not callable", kind)
    return found


def accepted(field: str, name: str, found: Callable[..., Any], offered: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Those of the ``offered`` keywords that the callable takes. Raises InputError where they do not suffice."""
    try:
        signature = inspect.signature(found)
        given = {k: v for k, v in offered.items() if takes_any(found) or k in signature.parameters}
        signature.bind(**given)
    except (TypeError, ValueError) as error:  # ValueError: a builtin that does not say what it takes
        words = " and ".join(offered)
        raise _refuse(field, name, f" cannot be called with {words}: {error}", kind) from error
    return given


def takes_any(found: Callable[..., Any]) -> bool:
    """Whether a callable has a ``**keywords``, which takes any name, and may hide which it can use."""
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in inspect.signature(found).parameters.values())


def require_returned(field: str, name: str, result: Any, wanted: type, kind: str) -> None:
    """Raises InputError unless the callable has returned what it must."""
    if not isinstance(result, wanted):
        raise _refuse(field, name, f" returned {type(result).__name__}", kind)


def source_hash(field: str, name: str) -> str:
    """sha256 of the file that defines a field's ``package.module:callable``. Raises InputError where there is none."""
    module = name.partition(":")[0]
    try:
        found = importlib.util.find_spec(module)
    except Exception:  # the package around the module is imported, and may raise whatever it likes
        found = None
    if found is None or not found.origin or not Path(found.origin).is_file():
        raise InputError(
            f"{field}: {name!r}: no module {module!r} with a source file; allowed: one that can be imported"
        )
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest()


def _refuse(field: str, name: str, reason: str, kind: str) -> InputError:
    return InputError(f"{field}: {name!r}{reason}; allowed: {kind}, as package.module:callable")
