"""What became of a sweep to which something was done: counted from its files, and kept for docs/reliability.md."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from kd_trainable.tuning.store import Storage


@dataclass(frozen=True)
class Outcome:
    """``lost``: finished runs whose result is gone or changed, and runs of the sweep without a finished one at its end.

    ``repeated``: runs that had a finished result before the fault and were attempted again. ``equal``: whether the
    final table is the undisturbed one; None where there is no such. ``left``: processes, /dev/shm entries, temporary
    files.
    """

    fault: str
    injected: int
    lost: int
    repeated: int
    equal: bool | None
    left: tuple[str, ...] = ()
    note: str = ""

    @property
    def harmless(self) -> bool:
        """Whether all is as if the fault had not been."""
        return not self.lost and not self.repeated and self.equal is not False and not self.left


RECORDED: list[Outcome] = []
MEASURED: dict[str, list[dict[str, str]]] = {}


def record(outcome: Outcome) -> None:
    """Keeps an outcome for docs/reliability.md; the test asserts it itself."""
    RECORDED.append(outcome)


def measure(title: str, rows: list[dict[str, str]]) -> None:
    """Keeps a table of figures for docs/reliability.md, below that of the faults; each row by its columns' names."""
    MEASURED[title] = rows


@dataclass(frozen=True)
class Snapshot:
    """The runs of a results folder at a moment: ids that its sweeps ask for, digests of finished results, attempts."""

    asked: frozenset[str]
    finished: dict[str, str]
    attempts: dict[str, int]

    @classmethod
    def of(cls, results: str | Path) -> Snapshot:
        """What lies in a results folder, or under a URI, now."""
        storage = Storage(results)
        asked: set[str] = set()
        for sweep in storage.names("sweeps"):
            asked.update(storage.read_json(f"sweeps/{sweep}/ids.json") or [])
        finished, attempts = {}, {}
        for run in storage.names("runs"):
            if (digest := _finished(storage.read(f"runs/{run}/result.json"))) is not None:
                finished[run] = digest
            lease = storage.read_json(f"runs/{run}/lease.json")
            if isinstance(lease, dict):
                attempts[run] = int(lease["attempt"])
        return cls(frozenset(asked), finished, attempts)

    def lost(self, later: Snapshot, but: Collection[str] = ()) -> list[str]:
        """Runs finished here whose result is another later, and runs asked for that have no finished result later.

        ``but``: runs that the fault itself is meant to end.
        """
        changed = {run for run, digest in self.finished.items() if later.finished.get(run) != digest}
        open_still = (self.asked | later.asked) - later.finished.keys()
        return sorted((changed | open_still) - set(but))

    def repeated(self, later: Snapshot) -> list[str]:
        """Runs finished here that were attempted again."""
        return sorted(run for run in self.finished if later.attempts.get(run, 0) > self.attempts.get(run, 0))


def _finished(content: bytes | None) -> str | None:
    """The digest of a finished run's result, else None."""
    try:
        if content is None or json.loads(content).get("status") != "finished":
            return None
    except ValueError:
        return None
    return hashlib.sha256(content).hexdigest()
