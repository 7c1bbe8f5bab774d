"""The formats of an exported student: its file, who writes that, and the script that loads it. One line a format."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from kd_trainable.export import loaders
from kd_trainable.export.student import OnPixels, Sees, Trained
from kd_trainable.vocabulary import InputError

PIXELS, LOGITS, BATCH = "pixels", "logits", "batch"  # what the model's input, its output and its free axis are called
EXAMPLE = 2  # images: an axis of one would be taken for one that is always one


class Format(NamedTuple):
    """``write`` makes the file's bytes; ``normalises``: whether the file itself does, or leaves it to its loader."""

    file: str
    write: Callable[[Trained, OnPixels, Sees], bytes]
    loader: str
    normalises: bool
    needs: tuple[str, ...] = ()
    about: str = ""


def _safetensors(trained: Trained, model: OnPixels, takes: Sees) -> bytes:
    """The very file of the run: weights by name."""
    return trained.weights


def _onnx(trained: Trained, model: OnPixels, takes: Sees) -> bytes:
    example = torch.zeros(EXAMPLE, *takes.shape)
    program = torch.onnx.export(
        model,
        (example,),
        dynamo=True,
        verbose=False,
        input_names=[PIXELS],
        output_names=[LOGITS],
        dynamic_shapes={PIXELS: {0: BATCH}},
    )
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    return content


def _torch_export(trained: Trained, model: OnPixels, takes: Sees) -> bytes:
    example, content = torch.zeros(EXAMPLE, *takes.shape), io.BytesIO()
    program = torch.export.export(model, (example,), dynamic_shapes={PIXELS: {0: torch.export.Dim(BATCH)}})
    torch.export.save(program, content)
    return content.getvalue()


FORMATS: dict[str, Format] = {
    "safetensors": Format(
        "model.safetensors",
        _safetensors,
        loaders.SAFETENSORS,
        normalises=False,
        about="Weights by name, for this library or a copy of its network. It holds numbers alone.",
    ),
    "onnx": Format(
        "model.onnx",
        _onnx,
        loaders.ONNX,
        normalises=True,
        needs=("onnx", "onnxscript", "onnxruntime"),
        about="The whole network, for onnxruntime and its kin: no PyTorch, no code of ours.",
    ),
    "torch_export": Format(
        "model.pt2",
        _torch_export,
        loaders.TORCH_EXPORT,
        normalises=True,
        about="The whole network, for PyTorch alone. Loading a .pt2 can run code that it holds (torch.export.load uses "
        "pickle): load one only if you trust where it comes from.",
    ),
}


def require_installed(name: str) -> None:
    """Raises InputError where the packages of a format are missing."""
    missing = [package for package in FORMATS[name].needs if importlib.util.find_spec(package) is None]
    if missing:
        raise InputError(f"format: {name} needs {', '.join(missing)}: pip install 'kd-trainable[{name}]'")


def written(name: str, trained: Trained, model: OnPixels, takes: Sees) -> bytes:
    """The file of a format. Raises InputError for a network that cannot be written so."""
    try:
        with _quiet(), torch.no_grad():
            return FORMATS[name].write(trained, model, takes)
    except Exception as error:  # tracing runs a person's own code, and ends in nearly any error
        why = " ".join(str(error).split())[:200]
        raise InputError(
            f"student: {trained.spec.student} cannot be exported as {name} ({type(error).__name__}: {why}); "
            "safetensors takes any network"
        ) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what PyTorch's exporters tell their own developers."""
    disabled = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        out, err = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
        with warnings.catch_warnings(action="ignore"), out, err:
            yield
    finally:
        logging.disable(disabled)
