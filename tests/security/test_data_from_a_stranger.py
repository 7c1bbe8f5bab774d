"""Data files that were made to attack: each is read as numbers alone, or refused in one line, and nothing runs."""

from __future__ import annotations

import gzip
import io
import pickle
import resource
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kd_trainable.data.batches import read_batch
from kd_trainable.data.idx import read_idx
from kd_trainable.data.pickles import read_pickle
from kd_trainable.data.pictures import read_pictures
from kd_trainable.vocabulary import InputError

LEAN = 3 << 30  # bytes of address space, in which a file of a few kB must be read or refused


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def call(module: str, name: str, arguments: bytes) -> bytes:
    return f"c{module}\n{name}\n".encode() + b"(" + arguments + b"tR"


ARRAY = call("numpy.core.multiarray", "_reconstruct", b"cnumpy\nndarray\n(K\x00tC\x01b")
NO_FLAGS = b"(K\x03" + text("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"  # what tells pointers from numbers


def array(dtype: bytes, shape: bytes = b"(K\x01t", raw: bytes = b"C\x08AAAAAAAA") -> bytes:
    return ARRAY + b"(K\x01" + shape + dtype + b"I00\n" + raw + b"tb"


def named(value: bytes) -> bytes:
    return b"\x80\x03}" + text("data") + value + b"s."


def os_system(mark: Path) -> bytes:
    return call("posix", "system", text(f"mkdir {mark}"))


PICKLES = {
    "a call of the shell": lambda mark: named(os_system(mark)),
    "the same by protocol 4": lambda mark: (
        b"\x80\x04" + text("posix") + text("system") + b"\x93" + text(f"mkdir {mark}") + b"\x85R."
    ),
    "pointers forged through a dtype's flags": lambda mark: named(
        array(call("numpy", "dtype", text("O") + b"I00\nI01\n") + NO_FLAGS)
    ),
    "pointers in a field of a void": lambda mark: named(
        array(call("numpy", "dtype", text("V8") + b"I00\nI01\n") + NO_FLAGS)
    ),
    "an array of objects": lambda mark: named(call("numpy", "ndarray", b"(K\x01t" + text("O"))),
    "more bytes than there are": lambda mark: named(
        array(call("numpy", "dtype", text("u1") + b"I00\nI01\n"), b"(J\xff\xff\xff\x7ft")
    ),
    "an array out of nothing": lambda mark: named(call("numpy", "ndarray", b"(J\xff\xff\xff\x7ft")),
    "an opener of files": lambda mark: named(call("numpy", "memmap", text(str(mark)) + text("u1") + text("w+"))),
    "another decoder": lambda mark: named(call("_codecs", "encode", text("x") + text("zlib_codec"))),
    "what it calls changed": lambda mark: named(b"c_codecs\nencode\n}" + text("__class__") + text("x") + b"sb"),
    "a persistent id": lambda mark: b"\x80\x03" + text("x") + b"Q.",
    "an extension's code": lambda mark: b"\x80\x03\x82\x01.",
    "an old instance": lambda mark: b"(" + text(f"mkdir {mark}") + b"iposix\nsystem\n.",
    "a new instance": lambda mark: b"\x80\x02cposix\nsystem\n(" + text(f"mkdir {mark}") + b"t\x81.",
    "a memo of two thousand millions": lambda mark: b"\x80\x03}r\xff\xff\xff\x7f.",
    "a buffer of millions of millions": lambda mark: b"\x80\x05\x96" + struct.pack("<Q", 1 << 44) + b"x.",
    "a key that nests too deep": lambda mark: b"\x80\x03}" + b")" + b"\x85" * 500_000 + b"K\x01s.",
    "a value that nests too deep": lambda mark: named(b"]" * 5 + b"a" * 4 + b"]" * 200_000),
    "nothing": lambda mark: b"",
}  # fmt: skip


@pytest.mark.parametrize("attack", PICKLES)
def test_a_pickle_runs_nothing_and_is_refused(attack: str, sprung: Path, tmp_path: Path) -> None:
    """In a process of its own, which a forged pointer would end."""
    (tmp_path / "train_data_batch_1").write_bytes(PICKLES[attack](sprung))
    read = (
        "import sys\nfrom pathlib import Path\nfrom kd_trainable.data.batches import read_batch\n"
        "from kd_trainable.vocabulary import InputError\n"
        "try:\n    print(read_batch(Path(sys.argv[1]))[0].sum())\n"
        "except InputError as error:\n    print('refused', error)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", read, str(tmp_path / "train_data_batch_1")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (LEAN, LEAN)),
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr[-2000:]
    assert ended.stdout.startswith("refused data_dir: "), ended.stdout
    assert ended.stdout.count("\n") == 1


@pytest.mark.parametrize("attack", ["a call of the shell", "the same by protocol 4", "an old instance"])
def test_the_attacks_would_do_harm_where_pickles_are_trusted(attack: str, tmp_path: Path) -> None:
    pickle.loads(PICKLES[attack](tmp_path / "harmed"))
    assert (tmp_path / "harmed").exists()


def test_a_pickle_of_lists_in_lists_is_not_unfolded(tmp_path: Path) -> None:
    values: list[object] = [1]
    for _ in range(60):  # 2^60 numbers, were they written out
        values = [values, values]
    contents = {"data": np.zeros((2, 3072), np.uint8), "labels": values}
    (tmp_path / "batch").write_bytes(pickle.dumps(contents))
    with pytest.raises(InputError, match="labels are object"):
        read_batch(tmp_path / "batch")


def test_arrays_of_any_plain_kind_still_come_out(tmp_path: Path) -> None:
    kinds = {"a": np.arange(6, dtype=">i4").reshape(2, 3), "b": np.asfortranarray(np.arange(6.0).reshape(2, 3))}
    for protocol in (2, 3, 4, 5):
        (tmp_path / "batch").write_bytes(pickle.dumps(kinds, protocol))
        found = read_pickle(tmp_path / "batch")
        assert all((found[name] == kinds[name]).all() and found[name].shape == (2, 3) for name in kinds)


def test_an_npz_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 20, 3072)})
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("data.npy", "w") as f:
        f.write(header.getvalue())
        for _ in range(1100):
            f.write(bytes(1 << 20))
    assert (tmp_path / "b.npz").stat().st_size < 4 << 20
    with pytest.raises(InputError, match="bytes; allowed: up to 1073741824"):
        read_batch(tmp_path / "b.npz")


def test_a_gzip_that_unpacks_to_gigabytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kd_trainable.data.idx.LARGEST", 1 << 20)
    with gzip.open(tmp_path / "t10k-images-idx3-ubyte.gz", "wb") as file:
        file.write(bytes(1 << 22))
    with pytest.raises(InputError, match="holds more than 1048576 bytes"):
        read_idx(tmp_path / "t10k-images-idx3-ubyte.gz")


def png(width: int, height: int) -> bytes:
    """A picture of zeros, which says that it is so large."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    chunks = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("side", [0, 32])
def test_a_picture_of_endless_size_is_refused(side: int, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(9_000, 8_000))
    with pytest.raises(InputError, match="is 9000 x 8000 pixels; allowed: "):
        read_pictures([tmp_path / "a.png"], side)


def test_a_postscript_that_calls_itself_a_picture_reaches_no_interpreter(
    sprung: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow would start ``gs``, the first on the path, on any file that begins like this."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gs").write_text(f"#!/bin/sh\nmkdir -p {sprung}\n")
    (tmp_path / "bin" / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n")
    with pytest.raises(InputError, match=r"a\.png cannot be read as a picture"):
        read_pictures([tmp_path / "a.png"], 0)
    assert not sprung.exists()
    with pytest.raises(OSError), Image.open(tmp_path / "a.png") as picture:  # as Pillow does it unasked
        picture.load()
    sprung.rmdir()
