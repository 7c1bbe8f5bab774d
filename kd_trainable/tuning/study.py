"""A searcher's study as a journal file: in place on a local storage, elsewhere a copy that is put back at each step."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kd_trainable.tuning.searchers import Outcome, Proposer
from kd_trainable.tuning.space import Cell
from kd_trainable.tuning.store import Storage
from kd_trainable.tuning.temporary import small_folder
from kd_trainable.vocabulary import InputError


def journal_path(name: str) -> str:
    """Where a sweep's study lies in the storage."""
    return f"sweeps/{name}/study.journal"


@contextlib.contextmanager
def open_study(storage: Storage, name: str) -> Iterator[tuple[Path, Callable[[], None]]]:
    """The study's file, mended, and what keeps it in the storage after each step (nothing to do for a local one)."""
    if storage.local:
        journal = written_in_place(storage, journal_path(name))
        mend(journal)
        yield journal, lambda: None
        return
    with copy_of_study(storage, name) as journal:
        yield journal, lambda: storage.write(journal_path(name), journal.read_bytes())


@contextlib.contextmanager
def copy_of_study(storage: Storage, name: str) -> Iterator[Path]:
    """A copy of the study to look at: whatever is written to it is forgotten."""
    with small_folder() as folder:
        journal, content = folder / "study.journal", storage.read(journal_path(name))
        if content is not None:
            journal.write_bytes(content)
            mend(journal)
        yield journal


def written_in_place(storage: Storage, path: str) -> Path:
    """A file of a local storage that grows where it lies. Raises InputError for a link, a stranger's say."""
    found = storage.inside(path)
    if found.is_symlink():
        raise InputError(f"storage: {found} is a link to {os.readlink(found)}; it must be a file")
    return found


def mend(journal: Path) -> None:
    """Frees a study's file from what a driver that was killed may have left: its lock, and a line half written."""
    Path(f"{journal}.lock").unlink(missing_ok=True)
    if journal.exists() and not (content := journal.read_bytes()).endswith(b"\n"):
        os.truncate(journal, content.rfind(b"\n") + 1)


class Remembered:
    """A proposer whose study is kept after everything that it proposes or hears."""

    def __init__(self, proposer: Proposer, keep: Callable[[], None]) -> None:
        self.proposer, self.keep = proposer, keep

    def past(self) -> list[Cell]:
        return self.proposer.past()

    def exhausted(self) -> bool:
        return self.proposer.exhausted()

    def ask(self) -> tuple[Any, Cell] | None:
        asked = self.proposer.ask()
        self.keep()
        return asked

    def tell(self, ticket: Any, outcome: Outcome) -> None:
        self.proposer.tell(ticket, outcome)
        self.keep()
