"""What stands above a sweep's tables: what the numbers are, the setting, baselines and the best."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.stats.cells import BLOCK, COMPARABLE, far_off
from analysis.tables.grid import ABSENT, SHOWN, absence, described, heading, percent, seeds, usual, varying, word
from analysis.tables.layout import Layout
from analysis.tables.tricks import UNDISTILLED
from analysis.tables.words import gain_words, mean_words
from kd_trainable.records import default_of, weighed

# What a caption names where it is the same in every run; of the rest what is not at its default.
SETTING = ("dataset", "student", "teacher", "method", "convention", "control", "epochs", "protocol", "precision")
WEIGHING = ("mode", "alpha", "temperature")  # which a grid shows, and other tables do not
SOFTENED = ("convention", *WEIGHING)  # which not every method has


def caption(runs: pd.DataFrame, table: pd.DataFrame, shown: Layout) -> str:
    """What the numbers are, who selects, which seeds and what setting, a line each."""
    finished = runs[runs["status"] == "finished"]
    used = seeds(sorted({int(seed) for seed in finished["seed"].dropna()}))
    lines = [
        "Test accuracy after the last epoch in %: mean ± standard deviation over the seeds.",
        *_gains(table, shown),
    ]
    lines += [selection(table), f"{used.capitalize()}; {_setting(table, shown)}.{_also(table)}"]
    distilled = finished[finished["method"] != "none"]
    if (distilled["protocol"] != "published").any() and (distilled["teacher_saw_validation"] != "no").any():
        lines.append("The teacher may have trained on the validation images, which flatters what they select.")
    return "\n".join(lines)


def leaders(table: pd.DataFrame, shown: Layout) -> str:
    """A line for each baseline and each best cell, with what tells it from its like, and what the seeds alone do."""
    named = _tricks(shown) if shown.sheets else _cells(table, shown)
    baselines = [_baseline(cell, words) for cell, words in named if cell.is_baseline]
    best = [_best(cell, words) for cell, words in named if cell.best]
    baselines = baselines or ["Baseline: none was run, so no gains are shown."]
    return "\n".join(f"- {line}" for line in [*baselines, *(best or [_no_best(table)]), *_seeds_alone(table)])


def selection(table: pd.DataFrame, short: bool = False) -> str:
    """What selects the best, as a sentence or as a column's heading."""
    protocols = set(table["protocol"].dropna())
    if "published" not in protocols:
        long = "★ is selected by validation accuracy after the last epoch; the test set selects nothing."
        return "validation" if short else long
    if short:
        return "test (biased)" if protocols == {"published"} else "selected by"
    where = "" if protocols == {"published"} else "Under protocol published, "
    return f"{where}★ IS SELECTED ON THE TEST SET, so its accuracy and gain are biased upwards."


def _gains(table: pd.DataFrame, shown: Layout) -> list[str]:
    if not table["gain"].notna().any():
        return []
    bracketed = not shown.sheets and (shown.panels or not shown.methods or table["student"].nunique() > 1)
    plus_minus = "the second ±" if bracketed else "the ±"
    spread = f"; {plus_minus} is their standard deviation" if table["gain_sd"].notna().any() else ""
    if shown.sheets:
        what = "Gain by trick: over the plain recipe in the same column; gain by distillation: over the same recipe"
        return [f"{what} without. In points, means of the differences paired by seed{spread}."]
    where = "In brackets the gain" if bracketed else "The gain is"
    return [f"{where} over the undistilled baseline in points, mean of the differences paired by seed{spread}."]


def _setting(table: pd.DataFrame, shown: Layout) -> str:
    """'dataset digits, teacher digits_cnn; kd's: mode kl, alpha 0.9': what is the same in all, and whose it is."""
    differs = varying(table)
    rows = table[~table["is_baseline"]] if not table["is_baseline"].all() else table
    hyperparameters = () if "method" in differs and not shown.sheets else ("hyperparameters",)
    fields = [*SETTING, *hyperparameters, *(() if shown.panels else WEIGHING)]
    said: dict[str, list[str]] = {}
    for name in (name for name in fields if name not in differs):
        words = [text for (text,) in described(rows, [name])]
        for text in dict.fromkeys(words):
            if text not in (ABSENT, "none") or name == "method":
                having = [other == text for other in words]
                said.setdefault(_owner(name, rows["method"], having), []).append(f"{name} {text}")
    return "; ".join((f"{owner}: " if owner else "") + ", ".join(words) for owner, words in said.items())


def _owner(name: str, methods: pd.Series, has: list[bool]) -> str:
    """\"kd's\", where a field concerns kd and kd+at, and another method does not have it; '' where all do."""
    if all(has) or name not in (*SOFTENED, "hyperparameters"):
        return ""
    having = dict.fromkeys(str(method) for method, own in zip(methods, has, strict=True) if own)
    terms = having if name == "hyperparameters" else dict.fromkeys(term for m in having for term in weighed(m))
    return f"{', '.join(terms)}'s"


def _also(table: pd.DataFrame) -> str:
    """' Also: lr 0.01, mixup 0.2.': what else is the same in all runs, and not at its default."""
    said = {*SETTING, *WEIGHING, "hyperparameters", *varying(table)}
    held = {name: list(table[name].dropna().unique()) for name in SHOWN if name not in said}
    words = [f"{name} {word(values[0])}" for name, values in held.items() if values and values[0] != default_of(name)]
    return f" Also: {', '.join(words)}." if words else ""


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
    fields = [name for name in varying(table) if name in COMPARABLE]
    for _, group in table.groupby([*COMPARABLE], dropna=False, sort=True):
        tried = group[group["control"].fillna("none").eq("none") & (group["n"] > 1)]
        if len(tried) > 2:
            where = _named(fields, described(group, fields)[0])
            found.append(_apart(tried, f" ({where})" if where else ""))
    return found


def _apart(tried: pd.DataFrame, where: str) -> str:
    seed, n, off = tried["sd"].median(), usual(tried), far_off(tried["mean"])
    without = f", without {off.sum()} far off" if off.any() else ""
    words = f"sd {percent(seed)} points over the seeds of a cell (median of {len(tried)})"
    luck = f"{percent(seed / n**0.5)} between means of {n} by luck alone"
    between = f"between the cells' means {percent(tried.loc[~off, 'mean'].std())}{without}"
    return f"Seeds against settings{where}: {words}, {luck}; {between}."


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
    gain = "" if pd.isna(cell.gain) else f"{gain_words(cell, cell.n)} over the baseline; "
    test = f"test {mean_words(cell)} ({gain}n={cell.n}, {_seeds(cell)})"
    published = cell.protocol == "published"
    by = "test accuracy" if published else "validation"
    name = f"★ Best by {by}, so biased upwards" if published else f"★ Best by {by}"
    notes = [f"tied with {cell.tied} other{'s' if cell.tied > 1 else ''}"] if cell.tied else []
    notes += [f"no distilled cell beats the baseline by {by}"] if cell.none_leads else []
    name = f"{name} ({'; '.join(notes)})" if notes else name
    return f"{name}: {words}: {', '.join(filter(None, [_validation(cell), test]))}"


def _seeds(cell: Any) -> str:
    return seeds([int(seed) for seed in cell.seeds.split(", ")])
