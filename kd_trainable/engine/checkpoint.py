"""A run's state as one safetensors file: tensors, and the history as metadata. No pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from kd_trainable.engine.plain import PlainRun, Row
from kd_trainable.teacher import arrays_of, fingerprint

HEADER_SIZE = 8


def encode(run: PlainRun, facts: Mapping[str, Any]) -> bytes:
    """The run's state; ``facts`` are further JSON values to keep with it (seconds so far)."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in run.tensors().items()}
    history, known = json.dumps(run.history), json.dumps(dict(facts))
    metadata = {"history": history, "facts": known, "sha256": _digest(tensors, history, known)}
    return save(_separate(tensors), metadata)


def decode(content: bytes) -> tuple[dict[str, Tensor], list[Row], dict[str, Any]]:
    """(tensors, history, facts). Raises ValueError for a file that was cut short or changed."""
    try:
        tensors = load(content)
        size = int.from_bytes(content[:HEADER_SIZE], "little")
        metadata = json.loads(content[HEADER_SIZE : HEADER_SIZE + size])["__metadata__"]
        history, facts = metadata["history"], metadata["facts"]
        if metadata["sha256"] != _digest(tensors, history, facts):
            raise ValueError("its sha256 differs")
        return tensors, json.loads(history), json.loads(facts)
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"not a whole checkpoint: {error}") from None


def student_weights(run: PlainRun) -> bytes:
    """The student alone, as a safetensors file that loads anywhere: the same bytes for the same weights."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in run.student.state_dict().items()}
    # a single entry: safetensors writes several in an order that changes from one call to the next
    return save(_separate(tensors), {"student": f"{run.spec.student} on {run.spec.dataset}"})


def _digest(tensors: Mapping[str, Tensor], *texts: str) -> str:
    return hashlib.sha256("|".join([fingerprint(arrays_of(tensors)), *texts]).encode()).hexdigest()


def _separate(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors that share memory (tied weights), each with its own: safetensors refuses shared ones."""
    seen: set[int] = set()
    whole = {}
    for name, value in tensors.items():
        pointer = value.untyped_storage().data_ptr()
        whole[name] = value.clone() if pointer in seen else value
        seen.add(pointer)
    return whole
