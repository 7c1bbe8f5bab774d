"""A ``Table`` as Markdown, CSV and Parquet. LaTeX is in ``typeset``, the styled table of a notebook in ``notebook``."""

from __future__ import annotations

import io
import re

import pandas as pd

from analysis.strangers import for_spreadsheet
from analysis.tables.grid import ABSENT
from analysis.tables.table import BEST, Entry, Table
from analysis.tables.words import aligned

NUMBER = re.compile(r"[-+<]?\d[\d.]*")


def markdown(*tables: Table) -> str:
    """Titles, notes and tables, padded so that they also read well raw in a terminal; ends with a new line.

    Of several the notes that all share stand once, above them.
    """
    shared = [note for note in tables[0].notes if all(note in table.notes for table in tables)] if tables[1:] else []
    own = [table._replace(notes=tuple(note for note in table.notes if note not in shared)) for table in tables]
    return "\n\n".join(filter(None, ["\n".join(shared), *map(_text, own)])) + "\n"


def _text(table: Table) -> str:
    title = f"### {table.title}" if table.title else ""
    rows = [list(table.columns), *([marked(entry) for entry in row] for row in table.rows)]
    body = aligned(rows, numeric(table)) if table.rows else ""
    return "\n\n".join(filter(None, [title, "\n".join(table.notes), body]))


def marked(entry: Entry) -> str:
    """'**★ 84.36**', '↑→ 84.21' or '84.10'."""
    return f"**{entry.words}**" if BEST in entry.marks else entry.words


def numeric(table: Table) -> set[int]:
    """The columns that hold single numbers, or nothing, and so are read from the right."""
    columns = enumerate(zip(*table.rows, strict=True))
    return {i for i, column in columns if _numbers([entry.text for entry in column if entry.text != ABSENT])}


def _numbers(texts: list[str]) -> bool:
    return bool(texts) and all(NUMBER.fullmatch(text) for text in texts)


def csv(*tables: Table) -> str:
    """The tidy numbers of tables of one kind, one below the other; the first column is the table's title."""
    return for_spreadsheet(_joined(tables)).to_csv(index=False, lineterminator="\n")


def parquet(*tables: Table) -> bytes:
    """The same with its types."""
    content = io.BytesIO()
    _joined(tables).to_parquet(content, index=False)
    return content.getvalue()


def _joined(tables: tuple[Table, ...]) -> pd.DataFrame:
    filled = [table for table in tables if table.rows]
    titled = [table.data.assign(table=pd.Series(table.title, table.data.index, dtype="string")) for table in filled]
    whole = pd.concat(titled, ignore_index=True) if filled else pd.DataFrame(columns=["table"])
    return whole[["table", *whole.columns.drop("table")]]
