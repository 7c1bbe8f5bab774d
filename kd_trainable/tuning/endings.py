"""How a run ended, once Tune says that its trial has: what its last attempt wrote, or else what became of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from kd_trainable.engine import checkpoint
from kd_trainable.engine.plain import Row
from kd_trainable.spec import RunSpec
from kd_trainable.tuning import results
from kd_trainable.tuning.results import Ending
from kd_trainable.tuning.run_folder import Fenced, RunFolder
from kd_trainable.tuning.store import Storage

# Another node's file may be unseen for so long where NFS remembers that it was not there (acdirmax, by default 60 s)
UNSEEN_S = 70.0
POLL_S = 1.0


def close(storage: Storage, name: str, spec: RunSpec, report: Mapping[str, Any]) -> Mapping[str, Any]:
    """The run's result. ``report``: the last that its trial said; status 'lost' where its worker died."""
    folder = RunFolder(storage, name)
    found = _last(folder) or (_awaited(folder) if report.get("status") == "finished" else None)
    if found is not None:
        return found
    if report.get("status") == "finished":  # nothing is written over what may be there
        ending = Ending("lost", f"its result is not in {storage.shown()}: do all nodes share that folder?")
        return results.result(name, spec, ending, [], {"attempts": folder.attempts()})
    if report.get("status") == "lost" and report.get("error"):  # fenced: the run is another driver's now
        return {"status": "lost"}
    try:
        return _written(folder, name, spec, report)
    except Fenced:
        return {"status": "lost"}


def _written(folder: RunFolder, name: str, spec: RunSpec, report: Mapping[str, Any]) -> Mapping[str, Any]:
    attempts = folder.attempts()
    folder.fence()  # a worker that still lives writes no more; what it wrote until now is seen
    found = _last(folder)
    if found is not None:
        return found
    history, facts = _newest(folder)
    endings = {
        "lost": Ending("lost", report.get("cause") or f"its worker died {attempts} times"),
        "failed": Ending("failed", report.get("error", ""), "exception"),
    }
    ending = endings.get(report.get("status", ""), Ending("stopped"))
    result = results.result(name, spec, ending, history, {"attempts": attempts, **facts})
    folder.finish(result, None)
    return result


def _last(folder: RunFolder) -> Mapping[str, Any] | None:
    """The result of the last attempt, if it wrote one that nothing later can better."""
    found = folder.result()
    if found is None or found["status"] == "finished":
        return found
    own = found["status"] == "failed" and found.get("attempts") == folder.attempts()
    return found if own else None


def _awaited(folder: RunFolder) -> Mapping[str, Any] | None:
    """The result that a worker has told of; a listing has the file system look again."""
    until = time.monotonic() + (UNSEEN_S if folder.storage.local else 0.0)
    while (found := folder.result()) is None and time.monotonic() < until:
        folder.storage.names(folder.folder)
        time.sleep(POLL_S)
    return found


def _newest(folder: RunFolder) -> tuple[list[Row], dict[str, Any]]:
    for content in folder.checkpoints():
        with contextlib.suppress(ValueError):
            _, history, facts = checkpoint.decode(content)
            return history, facts
    return [], {}
