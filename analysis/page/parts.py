"""What a page is made of: sections, and in them texts, lists, tables, plots and what is folded away. No HTML here."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from plotly.graph_objects import Figure

NUMBER = re.compile(r"(?:< )?[-+]?\d[\d.,]*(?: %| points?| h| min| s)?")
ABSENT = "–"


class Text(NamedTuple):
    """A paragraph; ``tone`` is '' or 'note', in which a page says what is missing or how to read it."""

    text: str
    tone: str = ""


class Items(NamedTuple):
    """A list of short lines; ``tone`` as of a text."""

    lines: list[str]
    tone: str = ""


class Facts(NamedTuple):
    """Names and values."""

    pairs: list[tuple[str, str]]


class Code(NamedTuple):
    """What a person may copy."""

    text: str


class Grid(NamedTuple):
    """A table in words: the first ``heads`` columns name the line; ``strong`` are (line, column) that are the best."""

    caption: str
    header: list[str]
    rows: list[list[str]]
    heads: int = 1
    strong: frozenset[tuple[int, int]] = frozenset()

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers, and so are set to the right."""
        columns = [[row[i] for row in self.rows if row[i] not in ("", ABSENT)] for i in range(len(self.header))]
        return [bool(column) and all(NUMBER.fullmatch(word) for word in column) for column in columns]


class Chart(NamedTuple):
    """One plotly figure, its heading, and what it shows in words for whoever does not see it."""

    heading: str
    alternative: str
    figure: Figure


class Plot(NamedTuple):
    """Charts that are read together, side by side where there is room; ``data`` is what they show, as a table."""

    title: str
    caption: str
    charts: list[Chart]
    data: Grid | None = None


class Folded(NamedTuple):
    """Parts behind a line that opens them."""

    summary: str
    parts: list[Any]


class Section(NamedTuple):
    """A heading and what stands under it; ``name`` is its anchor within a sweep."""

    name: str
    title: str
    parts: list[Any]
