"""Runs -> a Markdown table, padded so that it also reads well raw in a terminal."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.grid import ABSENT, Level, Panel, absence, described, heading, panels, percent, seeds, usual, varying
from analysis.stats import BLOCK, cells

# What a caption names where it is the same in every run; the rest of a spec is in the runs' own files.
SETTING = ("dataset", "student", "teacher", "method", "convention", "control", "epochs", "protocol", "precision")


def grid_table(runs: pd.DataFrame) -> str:
    """The sweep's answer: caption, baselines, best cells, then alpha x temperature for each mode and varying field.

    A cell reads '84.36 ± 0.21 (+0.52 ± 0.31)': per cent of test accuracy after the last epoch, mean and sd over
    the seeds, and the gain over the baseline in points, mean and sd of the differences paired by seed. Where alpha
    and temperature were not swept as a grid, one flat table, best first. Says so plainly where no run has finished.
    """
    table = cells(runs)
    if not table["n"].sum():
        return "\n\n".join(filter(None, [f"No run has finished: {_unfinished(table)}.", _errors(runs)])) + "\n"
    grids = [f"### {panel.heading}\n\n{_grid(panel, table)}" for panel in panels(table)]
    parts = [_caption(runs, table), _leaders(table), _errors(runs), *(grids or [_flat(table)])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _grid(panel: Panel, table: pd.DataFrame) -> str:
    header = ["", *(_axis("T", temperature) for temperature in panel.temperatures)]
    rows = [
        [_axis("α", alpha), *(_cell(panel.cells.get((alpha, t)), usual(table)) for t in panel.temperatures)]
        for alpha in panel.alphas
    ]
    return aligned([header, *rows])


def _flat(table: pd.DataFrame) -> str:
    fields = varying(table)
    selected_by = _selection(table, short=True)
    rows: list[list[str]] = [["", *fields, "test accuracy (gain)", selected_by]]
    ranked = table.sort_values("selected_by", ascending=False, kind="stable")
    ranked_rows: list[Any] = list(ranked.itertuples(index=False))
    for row, words in zip(ranked_rows, described(ranked, fields), strict=True):
        score = ABSENT if pd.isna(row.selected_by) else percent(row.selected_by)
        rows.append([_role(row), *words, _cell(row, usual(table)), score])
    return aligned(rows)


def _role(cell: Any) -> str:
    if cell.is_baseline:
        return "baseline"
    return "best" if cell.best else "" if cell.control == "none" else "control"


def _cell(cell: Any, n: int) -> str:
    """'84.36 ± 0.21 (+0.52 ± 0.31)'; its n where that is 1 or not the usual ``n``; what is missing, and why."""
    if cell is None or not cell.n:
        return absence(cell) or ABSENT
    notes = [] if pd.isna(cell.gain) else [_gain(cell)]
    if cell.n != n or cell.n == 1:
        notes.append(f"n={cell.n}")
    words = f"{_mean(cell)} ({', '.join(notes)})" if notes else _mean(cell)
    words = f"**★ {words}**" if cell.best else words
    return ", ".join(filter(None, [words, absence(cell)]))


def _mean(cell: Any) -> str:
    return percent(cell.mean) + ("" if pd.isna(cell.sd) else f" ± {percent(cell.sd)}")


def _gain(cell: Any) -> str:
    spread = "" if pd.isna(cell.gain_sd) else f" ± {percent(cell.gain_sd)}"
    noun = "seed" if cell.gain_n == 1 else "seeds"
    pairs = "" if cell.gain_n == cell.n else f" on {cell.gain_n} {noun}"
    return percent(cell.gain, "+") + spread + pairs


def _axis(symbol: str, place: Level) -> str:
    return f"no {symbol}" if place.text == ABSENT else f"{symbol}={place.text}"


def _leaders(table: pd.DataFrame) -> str:
    """A line for each baseline and each best cell, with the fields that tell it from its like."""
    rows = list(table.itertuples(index=False))
    fields = varying(table)
    block = [name for name in fields if name in BLOCK]
    baselines = [
        _baseline(row, words) for row, words in zip(rows, _named(table, block), strict=True) if row.is_baseline
    ]
    answer = [
        "mode",
        "alpha",
        "temperature",
        *(name for name in fields if name not in ("mode", "alpha", "temperature")),
    ]
    best = [_best(row, words) for row, words in zip(rows, _named(table, answer), strict=True) if row.best]
    baselines = baselines or ["Baseline: none was run, so no gains are shown."]
    return "\n".join(f"- {line}" for line in [*baselines, *(best or [_no_best(table)])])


def _no_best(table: pd.DataFrame) -> str:
    distilled = table[~table["is_baseline"]]
    if distilled.empty:
        return "Best: none; nothing was distilled."
    missing = "Best: none; no distilled cell has finished all of its runs with a score to select by"
    if not distilled["n_stopped"].sum():
        return f"{missing}."
    way = "the same command without --scheduler finishes them from their checkpoints."
    return f"{missing}. Some were stopped by a scheduler: {way}"


def _named(table: pd.DataFrame, fields: list[str]) -> list[str]:
    return [heading(fields, words) for words in described(table, fields)]


def _baseline(cell: Any, words: str) -> str:
    name = f"Baseline, not distilled ({words})" if words else "Baseline, not distilled"
    result = f"test {_mean(cell)} (n={cell.n}, {_seeds(cell)})" if cell.n else ""
    return f"{name}: {', '.join(filter(None, [_validation(cell), result, absence(cell)]))}"


def _validation(cell: Any) -> str:
    unknown = cell.protocol == "published" or pd.isna(cell.selected_by)
    return "" if unknown else f"validation {percent(cell.selected_by)}"


def _best(cell: Any, words: str) -> str:
    gain = "" if pd.isna(cell.gain) else f"{_gain(cell)} over the baseline; "
    test = f"test {_mean(cell)} ({gain}n={cell.n}, {_seeds(cell)})"
    published = cell.protocol == "published"
    by = "test accuracy" if published else "validation"
    name = f"★ Best by {by}, so biased upwards" if published else f"★ Best by {by}"
    notes = [f"tied with {cell.tied} other{'s' if cell.tied > 1 else ''}"] if cell.tied else []
    notes += [f"no distilled cell beats the baseline by {by}"] if cell.none_leads else []
    name = f"{name} ({'; '.join(notes)})" if notes else name
    return f"{name}: {words}: {', '.join(filter(None, [_validation(cell), test]))}"


def _seeds(cell: Any) -> str:
    return seeds([int(seed) for seed in cell.seeds.split(", ")])


def _caption(runs: pd.DataFrame, table: pd.DataFrame) -> str:
    finished = runs[runs["status"] == "finished"]
    used = seeds(sorted({int(seed) for seed in finished["seed"].dropna()}))
    lines = ["Test accuracy after the last epoch in %: mean ± standard deviation over the seeds."]
    if table["gain"].notna().any():
        spread = "; the second ± is their standard deviation" if _paired(table) else ""
        gain = "In brackets the gain over the undistilled baseline in points, mean of the differences paired by seed"
        lines.append(f"{gain}{spread}.")
    lines += [_selection(table), f"{used.capitalize()}; {_setting(table)}."]
    distilled = finished[finished["method"] != "none"]
    if (distilled["protocol"] != "published").any() and (distilled["teacher_saw_validation"] != "no").any():
        lines.append("The teacher may have trained on the validation images, which flatters what they select.")
    return "\n".join(lines)


def _paired(table: pd.DataFrame) -> bool:
    return bool(table["gain_sd"].notna().any())


def _selection(table: pd.DataFrame, short: bool = False) -> str:
    protocols = set(table["protocol"].dropna())
    if "published" not in protocols:
        long = "★ is selected by validation accuracy after the last epoch; the test set selects nothing."
        return "validation" if short else long
    if short:
        return "test (biased)" if protocols == {"published"} else "selected by"
    where = "" if protocols == {"published"} else "Under protocol published, "
    return f"{where}★ IS SELECTED ON THE TEST SET, so its accuracy and gain are biased upwards."


def _setting(table: pd.DataFrame) -> str:
    differs = varying(table)
    shown = table[~table["is_baseline"]] if not table["is_baseline"].all() else table
    fields = [name for name in SETTING if name not in differs]
    pairs = zip(fields, described(shown, fields)[0], strict=True)
    return ", ".join(f"{name} {word}" for name, word in pairs if word not in (ABSENT, "none") or name == "method")


def _unfinished(table: pd.DataFrame) -> str:
    counts = {name: int(table[f"n_{name}"].sum()) for name in ("failed", "stopped", "unfinished")}
    words = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return words or ("none was begun" if table.empty else "none has a test accuracy")


def _errors(runs: pd.DataFrame) -> str:
    """The three commonest errors of failed runs, with their counts."""
    errors = runs.loc[runs["status"] == "failed", "error"].fillna("no reason recorded").value_counts()
    return "\n".join(f"- Failed, {count} of {len(runs)} runs: {error}" for error, count in errors.head(3).items())


def aligned(rows: list[list[str]]) -> str:
    """A Markdown table of ``rows``, the first its header, every column as wide as its widest cell."""
    rows = [[word.replace("|", "\\|") for word in row] for row in rows]
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(word.ljust(w) for word, w in zip(row, widths, strict=True)) + " |" for row in rows]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
