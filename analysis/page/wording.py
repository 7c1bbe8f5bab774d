"""Numbers in words, the same everywhere on a page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from analysis.page.parts import ABSENT
from analysis.tables.grid import percent


def interval(low: Any, high: Any) -> str:
    """'[-0.12, +1.30]' in points; '' where it is not known."""
    return "" if pd.isna(low) or pd.isna(high) else f"[{percent(low, '+')}, {percent(high, '+')}]"


def per_cent(value: Any) -> str:
    """'62.32 %', '–' where it is missing."""
    return ABSENT if pd.isna(value) else f"{percent(value)} %"


def several(count: int, thing: str) -> str:
    """'1 run', '3 runs'."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def listed(words: Iterable[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    *rest, last = list(words)
    return f"{', '.join(rest)} and {last}" if rest else last


def duration(seconds: float) -> str:
    """'34 s', '12 min', '3.4 h'."""
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:,.1f} h"


def hours(seconds: float) -> str:
    """'34 s', '5 min', '0.34 h', '12.1 h', '1,234 h': as a table has them, below 0.1 h in minutes or seconds."""
    value = seconds / 3600
    if value < 0.1:
        return duration(seconds) if seconds else "0"
    return f"{value:,.0f} h" if value >= 100 else f"{value:.1f} h" if value >= 10 else f"{value:.2f} h"


def chance(p: Any) -> str:
    """'0.012', '< 0.001', '–' where it is missing."""
    return ABSENT if pd.isna(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def where(table: pd.DataFrame, key: dict[str, Any]) -> str:
    """'student resnet8, 30 epochs': what of the comparable fields tells this part of ``table`` from the others."""
    told = [name for name in key if table[name].nunique(dropna=False) > 1]
    return ", ".join(f"{key[name]} epochs" if name == "epochs" else f"{name} {key[name]}" for name in told)
