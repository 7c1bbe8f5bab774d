"""A cell in words, and rows of words as a Markdown table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.tables.grid import ABSENT, absence, percent


def cell_words(cell: Any, n: int) -> str:
    """'84.36 ± 0.21 (+0.52 ± 0.31)'; its n where that is 1 or not the usual ``n``; what is missing, and why."""
    return accuracy_words(cell, n, [] if cell is None or pd.isna(cell.gain) else [gain_words(cell, cell.n)])


def accuracy_words(cell: Any, n: int, notes: list[str]) -> str:
    """The same with ``notes`` in the place of the gain."""
    if cell is None or not cell.n:
        return absence(cell) or ABSENT
    notes = notes + ([f"n={cell.n}"] if cell.n != n or cell.n == 1 else [])
    words = f"{mean_words(cell)} ({', '.join(notes)})" if notes else mean_words(cell)
    return ", ".join(filter(None, [f"**★ {words}**" if cell.best else words, absence(cell)]))


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


def aligned(rows: list[list[str]]) -> str:
    """A Markdown table of ``rows``, the first its header, every column as wide as its widest cell."""
    rows = [[word.replace("|", "\\|") for word in row] for row in rows]
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(word.ljust(w) for word, w in zip(row, widths, strict=True)) + " |" for row in rows]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
