"""A run goes on from its newest checkpoint that is whole, and says which ones are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kd_trainable.engine import checkpoint
from kd_trainable.engine.plain import PlainRun
from kd_trainable.tuning.run_folder import RunFolder


def go_on(
    run: PlainRun, folder: RunFolder, note: Callable[[str], None], otherwise: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Loads the newest whole checkpoint into the run; returns its facts, or ``otherwise`` where there is none.

    ``note`` is given a line for every newer one that cannot be used.
    """
    damaged: list[str] = []
    facts = _load(run, folder, damaged)
    for name in damaged:
        since = f"from epoch {len(run.history)}" if facts is not None else "from the start"
        note(f"run {folder.name}: {name} is damaged; going on {since}")
    return facts if facts is not None else otherwise or {}


def _load(run: PlainRun, folder: RunFolder, damaged: list[str]) -> dict[str, Any] | None:
    for content in folder.checkpoints(damaged.append):
        try:
            tensors, history, facts = checkpoint.decode(content)
            run.load(tensors, history)
        except ValueError as error:  # of another version, say, or of one's own network before it was changed
            damaged.append(f"a checkpoint ({error})")
            continue
        return facts
    return None
