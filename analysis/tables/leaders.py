"""The lines between a caption and its tables: the baselines, the best cells, and what the seeds alone do."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.stats.cells import BLOCK, EXACT, far_off, is_control
from analysis.tables.captions import WEIGHING, doubts
from analysis.tables.grid import ABSENT, absence, comparable, described, heading, percent, seeds, varying
from analysis.tables.layout import Layout
from analysis.tables.tricks import UNDISTILLED
from analysis.tables.words import gain_words, interval_words, mean_words


def leaders(table: pd.DataFrame, shown: Layout) -> str:
    """A line for each baseline and each best cell, with what tells it from its like, and what the seeds alone do.

    ``table``: of ``stats.differences``, so that the best's gain comes with an interval that allows for the choice.
    """
    named = _tricks(shown) if shown.sheets else _cells(table, shown)
    baselines = [_baseline(cell, words) for cell, words in named if cell.is_baseline]
    best = [_best(cell, words) for cell, words in named if cell.best]
    baselines = baselines or ["Baseline: none was run, so no gains are shown."]
    return "\n".join(f"- {line}" for line in [*baselines, *(best or [_no_best(table)]), *_seeds_alone(table)])


def baseline_notes(table: pd.DataFrame, part: pd.DataFrame) -> list[str]:
    """A sentence for each baseline of ``table`` that trained as cells of ``part`` did; that there is none."""
    blocks = {_block(cell) for cell in part.itertuples(index=False)}
    baselines = table[table["is_baseline"]]
    alike = [_block(cell) in blocks for cell in baselines.itertuples(index=False)]
    baselines = baselines[pd.Series(alike, baselines.index, dtype=bool)]
    fields = varying(baselines)
    words = [_named(fields, text) for text in described(baselines, fields)]
    lines = [f"{_baseline(*pair)}." for pair in zip(baselines.itertuples(index=False), words, strict=True)]
    return lines or ["No baseline of the same recipe was run, so no gains are shown."]


def _block(cell: Any) -> tuple[Any, ...]:
    values = (getattr(cell, name) for name in BLOCK)
    return tuple(None if pd.isna(value) else value for value in values)


def _cells(table: pd.DataFrame, shown: Layout) -> list[tuple[Any, str]]:
    """Every cell, with the words that tell it from its like."""
    fields = varying(table)
    block = [name for name in fields if name in BLOCK]
    answer = fields if shown.methods else [*WEIGHING, *(name for name in fields if name not in WEIGHING)]
    cells = table.itertuples(index=False)
    words = zip(cells, described(table, block), described(table, answer), strict=True)
    return [(cell, _named(block, short) if cell.is_baseline else _named(answer, long)) for cell, short, long in words]


def _tricks(shown: Layout) -> list[tuple[Any, str]]:
    """Of every sheet the plain baseline, and the distilled cells with their tricks."""
    found = []
    for sheet in shown.sheets:
        for trick in sheet.tricks:
            found += [
                (cell, ", ".join(filter(None, [sheet.heading, trick.name, "" if arm == UNDISTILLED else arm])))
                for arm, cell in trick.cells.items()
                if arm != UNDISTILLED or trick is sheet.tricks[0]
            ]
    return found


def _named(fields: list[str], words: list[str]) -> str:
    known = [(field, word) for field, word in zip(fields, words, strict=True) if word != ABSENT]
    return heading([field for field, _ in known], [word for _, word in known])


def _seeds_alone(table: pd.DataFrame) -> list[str]:
    """How far a cell's seeds lie apart, and how far the cells do, among comparable cells of several seeds."""
    found = []
    for where, group in comparable(table):
        tried = group[~group["is_baseline"] & ~is_control(group) & (group["n"] > 1)]
        if len(tried) > 2:
            found.append(_apart(tried, f" ({where})" if where else ""))
    return found


def _apart(tried: pd.DataFrame, where: str) -> str:
    off = far_off(tried["mean"])
    kept = tried[~off]
    without = f", without {off.sum()} far off" if off.any() else ""
    seed = float((kept["sd"] ** 2).mean()) ** 0.5  # variances average, standard deviations do not
    words = f"sd {percent(seed)} points over the seeds of a cell (of {len(kept)} distilled cells{without})"
    return f"Seeds against settings{where}: {words}; {percent(kept['mean'].std())} between the cells' means."


def _no_best(table: pd.DataFrame) -> str:
    distilled = table[~table["is_baseline"]]
    if distilled.empty:
        return "Best: none; nothing was distilled."
    missing = "Best: none; no distilled cell has finished all of its runs with a score to select by"
    if not distilled["n_stopped"].sum():
        return f"{missing}."
    way = "the same command without --scheduler finishes them from their checkpoints."
    return f"{missing}. Some were stopped by a scheduler: {way}"


def _baseline(cell: Any, words: str) -> str:
    name = f"Baseline, not distilled ({words})" if words else "Baseline, not distilled"
    result = f"test {mean_words(cell)} (n={cell.n}, {_seeds(cell)})" if cell.n else ""
    return f"{name}: {', '.join(filter(None, [_validation(cell), result, absence(cell)]))}"


def _validation(cell: Any) -> str:
    unknown = cell.protocol == "published" or pd.isna(cell.selected_by)
    return "" if unknown else f"validation {percent(cell.selected_by)}"


def _best(cell: Any, words: str) -> str:
    test = f"test {mean_words(cell)} ({_gain(cell)}n={cell.n}, {_seeds(cell)})"
    published = cell.protocol == "published"
    by = "test accuracy" if published else "validation"
    name = f"★ Best by {by}, so biased upwards" if published else f"★ Best by {by}"
    notes = "; ".join(doubts(cell))
    name = f"{name} ({notes})" if notes else name
    return f"{name}: {words}: {', '.join(filter(None, [_validation(cell), test]))}"


def _gain(cell: Any) -> str:
    """'+1.61 over the baseline, 95 % interval -3.59 to +6.80 for all 12 cells at once; ', or with its sd alone.

    The sd where no interval is known, or where seeds are missing, so that the model's difference is another one.
    """
    if pd.isna(cell.gain):
        return ""
    if pd.isna(cell.family_low) or abs(cell.difference - cell.gain) > 10**-EXACT:
        return f"{gain_words(cell, cell.n)} over the baseline; "
    together = f" for all {cell.comparisons} cells at once" if cell.comparisons > 1 else ""
    interval = interval_words(cell.family_low, cell.family_high)
    return f"{percent(cell.gain, '+')} over the baseline, 95 % interval {interval}{together}; "


def _seeds(cell: Any) -> str:
    return seeds([int(seed) for seed in cell.seeds.split(", ")])
