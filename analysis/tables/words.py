"""A cell in words, and rows of words as a Markdown table."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import pandas as pd

from analysis.tables.grid import ABSENT, absence, percent
from analysis.tables.table import BEST, Entry

WIDEST = 2.0  # of an interval of differences of accuracies, that says anything: from -100 to +100 points


def cell_words(cell: Any, n: int) -> Entry:
    """'84.36 ± 0.21 (+0.52 ± 0.31)'; its n where that is 1 or not the usual ``n``; what is missing, and why."""
    return accuracy_words(cell, n, [] if cell is None or pd.isna(cell.gain) else [gain_words(cell, cell.n)])


def accuracy_words(cell: Any, n: int, notes: list[str]) -> Entry:
    """The same with ``notes`` in the place of the gain."""
    if cell is None or not cell.n:
        return Entry(absence(cell) or ABSENT)
    notes = notes + ([f"n={cell.n}"] if cell.n != n or cell.n == 1 else [])
    words = f"{mean_words(cell)} ({', '.join(notes)})" if notes else mean_words(cell)
    return Entry(", ".join(filter(None, [words, absence(cell)])), BEST if cell.best else "")


def mean_words(cell: Any) -> str:
    """'84.36 ± 0.21': mean and sd in per cent, without the latter where there is none."""
    return percent(cell.mean) + ("" if pd.isna(cell.sd) else f" ± {percent(cell.sd)}")


def gain_words(gain: Any, n: int) -> str:
    """'+0.52 ± 0.31' in points, and on how many seeds where they are not the ``n`` of the cell; '–' for no gain."""
    if gain is None or pd.isna(gain.gain):
        return ABSENT
    spread = "" if pd.isna(gain.gain_sd) else f" ± {percent(gain.gain_sd)}"
    pairs = "" if gain.gain_n == n else f" on {gain.gain_n} seed{'s' if gain.gain_n > 1 else ''}"
    return percent(gain.gain, "+") + spread + pairs


def score_words(cell: Any) -> str:
    """The mean of what selects, in per cent; '–' where it is missing."""
    return ABSENT if cell is None or pd.isna(cell.selected_by) else percent(cell.selected_by)


def interval_words(low: Any, high: Any) -> str:
    """'-0.52 to +3.74' in points; '–' where it is unknown, or so wide that it excludes nothing."""
    if pd.isna(low):
        return ABSENT
    return f"{percent(low, '+')} to {percent(high, '+')}" if high - low < WIDEST else "wider than 200"


def chance_words(p: Any) -> str:
    """A p value: '0.031', '<0.001'; '–' where it is unknown."""
    return ABSENT if pd.isna(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


def unfinished(table: pd.DataFrame) -> str:
    """'No run has finished: 1 failed, 2 stopped.'"""
    counts = {name: int(table[f"n_{name}"].sum()) for name in ("failed", "stopped", "unfinished")}
    words = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return f"No run has finished: {words or ('none was begun' if table.empty else 'none has a test accuracy')}."


def aligned(rows: list[list[str]], numbers: Container[int] = ()) -> str:
    """A Markdown table of ``rows``, the first its header, every column as wide as its widest cell.

    The columns ``numbers`` lie to the right.
    """
    rows = [[word.replace("|", "\\|") for word in row] for row in rows]
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(_padded(row, widths, numbers)) + " |" for row in rows]
    rule = "|".join("-" * (width + 1) + (":" if i in numbers else "-") for i, width in enumerate(widths))
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])


def _padded(row: list[str], widths: list[int], numbers: Container[int]) -> list[str]:
    pairs = enumerate(zip(row, widths, strict=True))
    return [word.rjust(width) if i in numbers else word.ljust(width) for i, (word, width) in pairs]
