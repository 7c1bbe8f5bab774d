"""The one reader of pickles: a dict of arrays, lists, numbers and strings, and nothing else is built or called.

A pickle can run code as it is read, and so can numpy's own rebuilders of arrays: a dtype whose flags are forged makes
numpy take bytes for pointers. So neither is trusted: only the opcodes that such files need are read, what they call
are the stand-ins below, and an array is made at the end of bytes that were counted.
"""

from __future__ import annotations

import math
import pickle
import pickletools
import re
from pathlib import Path
from typing import Any

import numpy as np

from kd_trainable.vocabulary import InputError

TUPLES = 1000  # in a pickle: an array needs three; a deep nest of them ends Python itself when it is hashed
OPCODES = frozenset(
    [
        "PROTO",
        "FRAME",
        "STOP",
        "MARK",
        "NONE",
        "NEWTRUE",
        "NEWFALSE",
        "INT",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG",
        "LONG1",
        "FLOAT",
        "BINFLOAT",
        "STRING",
        "BINSTRING",
        "SHORT_BINSTRING",
        "UNICODE",
        "BINUNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE8",
        "BINBYTES",
        "SHORT_BINBYTES",
        "BINBYTES8",
        "BYTEARRAY8",
        "LIST",
        "EMPTY_LIST",
        "APPEND",
        "APPENDS",
        "DICT",
        "EMPTY_DICT",
        "SETITEM",
        "SETITEMS",
        "TUPLE",
        "EMPTY_TUPLE",
        "TUPLE1",
        "TUPLE2",
        "TUPLE3",
        "PUT",
        "BINPUT",
        "LONG_BINPUT",
        "MEMOIZE",
        "GET",
        "BINGET",
        "LONG_BINGET",
        "GLOBAL",
        "STACK_GLOBAL",
        "REDUCE",
        "BUILD",
    ]
)


class _Latin1:
    """What protocol 2 calls to build bytes, held to the one encoding it needs."""

    def __new__(cls, text: str, encoding: str) -> Any:
        if encoding not in ("latin1", "latin-1"):
            raise pickle.UnpicklingError(f"it encodes as {encoding!r}")
        return text.encode("latin1")

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("it changes what it calls")


class _Class(_Latin1):
    """Stands for the class numpy.ndarray, which is named and never called."""

    def __new__(cls, *arguments: Any) -> Any:
        raise pickle.UnpicklingError("it makes an array out of nothing")


class _Type:
    """A dtype of plain numbers. Of its state, which may hold flags that lie, the byte order alone is read."""

    __slots__ = ("code", "order")

    def __init__(self, code: Any, align: Any = False, copy: Any = False) -> None:
        if not isinstance(code, str) or not re.fullmatch("[biuf][1248]", code):
            raise pickle.UnpicklingError(f"it has an array of {str(code)[:20]!r}")
        self.code, self.order = code, "|"

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("|", "<", ">", "="):
            raise pickle.UnpicklingError("it has a dtype without a byte order")
        self.order = state[1]


class _Array:
    """numpy's ``_reconstruct(ndarray, (0,), 'b')``, and then its state."""

    __slots__ = ("array",)

    def __init__(self, *arguments: Any) -> None:
        self.array: np.ndarray | None = None

    def __setstate__(self, state: tuple[Any, Any, Any, Any, Any]) -> None:
        _, shape, kind, fortran, raw = state
        self.array = _plain(raw, kind, shape, "F" if fortran else "C")


class _Buffer(_Array):
    """numpy's ``_frombuffer``, which protocol 5 calls instead."""

    __slots__ = ()

    def __init__(self, raw: Any, kind: Any, shape: Any, order: Any = "C") -> None:
        self.array = _plain(raw, kind, shape, "F" if order == "F" else "C")


def _plain(raw: Any, kind: Any, shape: Any, order: Any) -> np.ndarray:
    """The array of these bytes (text, where Python 2 wrote it), if they are as many as it says."""
    content = raw.encode("latin1") if isinstance(raw, str) else raw
    sizes = isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)
    if not isinstance(kind, _Type) or not isinstance(content, bytes | bytearray) or not sizes:
        raise pickle.UnpicklingError("it has an array that is no plain bytes of one shape")
    dtype = np.dtype(f"{kind.order}{kind.code}")
    if math.prod(shape) * dtype.itemsize != len(content):
        raise pickle.UnpicklingError(f"it has an array of {len(content)} bytes that says it is {dtype} {shape}")
    return np.frombuffer(content, dtype).reshape(shape, order=order)


# numpy's own rebuilders, under the names they had in numpy 1 and have in numpy 2.
_BUILDERS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Class,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _Latin1,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Buffer for core in ("core", "_core")},
}


class _ArraysOnly(pickle.Unpickler):
    """Overriding this method is the way that pickle offers to say what may be built."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _BUILDERS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no part of an array")
        return _BUILDERS[module, name]


def read_pickle(path: Path) -> dict[str, Any]:
    """The dict in a pickle of arrays, lists, numbers and strings. Raises InputError for anything else."""
    try:
        with path.open("rb") as file:
            _require_plain(file)
            file.seek(0)
            found = _ArraysOnly(file, encoding="latin1").load()
    except Exception as error:  # damaged pickles raise what they like
        raise InputError(f"data_dir: {path} cannot be read as a pickle of arrays ({words(error)})") from None
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise InputError(f"data_dir: {path} holds a {type(found).__name__}; allowed: a dict of arrays by name")
    return {name: value.array if isinstance(value, _Array) else value for name, value in found.items()}


def _require_plain(file: Any) -> None:
    """Raises UnpicklingError for opcodes that no such file needs, and for those that would fill the memory."""
    tuples = 0
    for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        tuples += "TUPLE" in opcode.name
        if opcode.name not in OPCODES:
            raise pickle.UnpicklingError(f"it asks for {opcode.name}, which is no part of an array")
        if ("PUT" in opcode.name and int(argument or 0) > count) or tuples > TUPLES:
            raise pickle.UnpicklingError("it would fill the memory, or nests too deep")


def words(error: Exception) -> str:
    """An error as one line."""
    return " ".join(str(error).split()) or type(error).__name__
