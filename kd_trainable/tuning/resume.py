"""A run goes on from its newest checkpoint that is whole."""

from __future__ import annotations

from typing import Any

from kd_trainable.engine import checkpoint
from kd_trainable.engine.plain import PlainRun
from kd_trainable.tuning.store import RunFolder


def go_on(run: PlainRun, folder: RunFolder, otherwise: dict[str, Any] | None = None) -> dict[str, Any]:
    """Loads the newest whole checkpoint into the run; returns its facts, or ``otherwise`` where there is none."""
    for content in folder.checkpoints():
        try:
            tensors, history, facts = checkpoint.decode(content)
        except ValueError:  # damaged, or of another version: the one before it
            continue
        run.load(tensors, history)
        return facts
    return otherwise or {}
