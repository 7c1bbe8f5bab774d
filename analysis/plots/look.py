"""How every figure looks: Okabe and Ito's colours, told apart by marker too, for grey print and for any eye."""

from __future__ import annotations

import textwrap
from typing import Any

# Okabe & Ito 2008, Color Universal Design, in an order whose neighbours also differ in lightness
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":")
BASELINE = "0.35"  # grey of the baseline's line and band
BAND = "0.87"
SIZE, SMALL = 9, 8.5  # points
LABEL, LETTER, ROW = 56, 0.072, 0.16  # letters of a line of a label; inches: the width of one, the height of a line
INTERVAL_FROM = 3  # seeds; the interval of two is nine times as wide as they lie apart, so these are shown themselves


def style(place: int) -> dict[str, Any]:
    """Colour, marker and line of the curve at ``place`` (from 0), no two alike among 28."""
    return {
        "color": COLOURS[place % len(COLOURS)],
        "marker": MARKERS[place % len(MARKERS)],
        "linestyle": LINES[place % len(LINES)],
    }


def wrapped(labels: list[str], letters: int = LABEL) -> tuple[list[str], float, float]:
    """Labels of an axis on lines of so many letters at most, and their width and greatest height in inches."""
    texts = [textwrap.fill(label, letters) for label in labels]
    lines = [text.split("\n") for text in texts]
    return texts, LETTER * max(len(line) for text in lines for line in text), ROW * max(map(len, lines))
