"""What every table is before it is written: words with marks for a reader, and the numbers behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import pandas as pd

from analysis.stats.cells import EXACT

BEST, OF_COLUMN, OF_ROW = "★", "↑", "→"
APART = "†"  # a difference that stands on its own seeds alone
SIGNS = BEST + OF_COLUMN + OF_ROW + APART
Key = TypeVar("Key")


class Entry(NamedTuple):
    """What stands in one place of a table; ``marks`` are signs of ``SIGNS``, in their order."""

    text: str
    marks: str = ""

    @property
    def words(self) -> str:
        """'★ 84.36', or the text alone where it is not marked."""
        return f"{self.marks} {self.text}" if self.marks else self.text


class Table(NamedTuple):
    """A table of comparable runs, as it is read and as it is computed with.

    title: what tells it from the other tables of its kind, e.g. 'mode kl, student resnet8'; may be empty
    columns, rows: the heads and the lines; no rows where there is nothing to show, and ``notes`` say why
    data: the same in numbers, long and tidy (see ``tidy``): accuracies as fractions of 1, a row a cell
    notes: sentences that a reader needs to believe it: what the numbers are, what the marks mean, the setting
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    data: pd.DataFrame
    notes: tuple[str, ...] = ()


def nothing(why: str) -> Table:
    """A table without rows, and the sentence that says why."""
    return Table("", (), (), pd.DataFrame(), (why,))


def plain(words: Iterable[str]) -> list[Entry]:
    """Words without marks."""
    return [Entry(word) for word in words]


def marks_of(tables: Iterable[Table]) -> str:
    """The signs that occur in the tables."""
    found = {sign for table in tables for row in table.rows for entry in row for sign in entry.marks}
    return "".join(sign for sign in SIGNS if sign in found)


def leading(line: Mapping[Key, Any]) -> set[Key]:
    """Of the cells of a row or a column those with the highest score to select by, all that tie.

    Only cells that compete (``stats.cells``); none where fewer than two of them differ.
    """
    scores = {key: round(cell.selected_by, EXACT) for key, cell in line.items() if cell is not None and cell.competes}
    highest = max(scores.values(), default=0.0)
    return {key for key, score in scores.items() if score == highest} if len(set(scores.values())) > 1 else set()
