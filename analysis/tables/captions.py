"""What stands above a sweep's tables: what the numbers are, who selects, which seeds and what setting."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.stats.cells import COMPARABLE
from analysis.tables.grid import ABSENT, SHOWN, described, seeds, varying, word
from analysis.tables.layout import Layout
from analysis.tables.table import BEST, OF_COLUMN, OF_ROW
from kd_trainable.records import default_of, weighed

# What a caption names where it is the same in every run; of the rest what is not at its default.
SETTING = ("dataset", "student", "teacher", "method", "convention", "control", "epochs", "protocol", "precision")
WEIGHING = ("mode", "alpha", "temperature")  # which a grid shows, and other tables do not
ARROWS = {OF_COLUMN: "↑ is the best of its column", OF_ROW: "→ the best of its row"}
SOFTENED = ("convention", *WEIGHING)  # which not every method has


def caption(runs: pd.DataFrame, table: pd.DataFrame, shown: Layout, marks: str) -> str:
    """What the numbers are, who selects, which seeds and what setting, a line each. ``marks``: those that occur."""
    bracketed = not shown.sheets and bool(shown.panels or not shown.methods or table["student"].nunique() > 1)
    gains = gains_by_trick(table) if shown.sheets else gains_of(table, bracketed)
    lines = [accuracies_of(table), *gains, *selected(table, marks)]
    lines += setting(runs, table, weighing=not shown.panels, weights=bool(shown.sheets))
    return "\n".join(lines)


def accuracies_of(table: pd.DataFrame) -> str:
    """What the accuracies of these cells are."""
    what = "Test accuracy after the last epoch in %"
    if table["sd"].notna().any():
        return f"{what}: mean ± standard deviation over the seeds."
    return f"{what}, one seed a cell (n=1), so that no spread is known."


def gains_of(table: pd.DataFrame, bracketed: bool) -> list[str]:
    """What the gains of these cells are, none where none is known. ``bracketed``: as they stand behind accuracies."""
    if not table["gain"].notna().any():
        return []
    where = "In brackets the gain" if bracketed else "The gain is"
    spread = _spread(table, "the second ±" if bracketed else "the ±")
    return [f"{where} over the undistilled baseline in points, mean of the differences paired by seed{spread}."]


def gains_by_trick(table: pd.DataFrame) -> list[str]:
    """The same of a table of tricks."""
    if not table["gain"].notna().any():
        return []
    what = "Gain by trick: over the plain recipe in the same column; gain by distillation: over the same recipe"
    spread = _spread(table, "the ±")
    return [f"{what} without. In points, means of the differences paired by seed{spread}."]


def _spread(table: pd.DataFrame, sign: str) -> str:
    return f"; {sign} is their standard deviation" if table["gain_sd"].notna().any() else ""


def selection(table: pd.DataFrame, marks: str) -> list[str]:
    """``selected``, and what may be held against each best cell: a table without the line of its leaders says it."""
    best: list[Any] = list(table[table["best"]].itertuples(index=False)) if BEST in marks else []
    several = len({cell.student for cell in best}) > 1
    said = [(f" of student {cell.student}" if several else "", "; ".join(doubts(cell))) for cell in best]
    return selected(table, marks) + [f"★{whose}: {words}." for whose, words in said if words]


def doubts(cell: Any) -> list[str]:
    """'tied with 2 others', 'no distilled cell beats the baseline by validation': of a best cell, as far as true."""
    by = "test accuracy" if cell.protocol == "published" else "validation"
    tied = [f"tied with {cell.tied} other{'s' if cell.tied > 1 else ''}"] if cell.tied else []
    return tied + [f"no distilled cell beats the baseline by {by}"] * bool(cell.none_leads)


def selected(table: pd.DataFrame, marks: str) -> list[str]:
    """What selects the best, and what the signs ``marks`` mean; none where nothing is marked."""
    arrows = " and ".join(words for sign, words in ARROWS.items() if sign in marks)
    if BEST not in marks:
        return [f"{arrows}, {_selected_by(table)}"] if arrows else []
    if "published" not in set(table["protocol"].dropna()):
        star = "★ is selected by validation accuracy after the last epoch; the test set selects nothing."
    else:
        alone = set(table["protocol"].dropna()) == {"published"}
        where = "" if alone else "Under protocol published, "
        star = f"{where}★ IS SELECTED ON THE TEST SET, so its accuracy and gain are biased upwards."
    return [f"{star} {arrows}, likewise." if arrows else star]


def _selected_by(table: pd.DataFrame) -> str:
    if "published" in set(table["protocol"].dropna()):
        return "SELECTED ON THE TEST SET (protocol published), so biased upwards."
    return "by validation accuracy after the last epoch; the test set selects nothing."


def selects(table: pd.DataFrame) -> str:
    """What selects, as a column's heading."""
    protocols = set(table["protocol"].dropna())
    if "published" not in protocols:
        return "validation"
    return "test (biased)" if protocols == {"published"} else "selected by"


def setting(runs: pd.DataFrame, table: pd.DataFrame, weighing: bool = True, weights: bool = False) -> list[str]:
    """Seeds and setting, and whether the teacher may have seen what selects.

    ``weighing``: mode, alpha and T are no axes, so they are said where they are the same in all; ``weights``: so are
    the methods' hyperparameters, even where methods differ.
    """
    used = sorted({seed for by_seed in table["by_seed"] for seed in by_seed})
    words = seeds(used).capitalize() if used else "No seed finished"
    lines = [f"{words}; {_setting(table, weighing, weights)}.{_also(table)}"]
    distilled = runs[(runs["status"] == "finished") & (runs["method"] != "none")]
    if (distilled["protocol"] != "published").any() and (distilled["teacher_saw_validation"] != "no").any():
        lines.append("The teacher may have trained on the validation images, which flatters what they select.")
    return lines


def alike(runs: pd.DataFrame, table: pd.DataFrame, by: tuple[str, ...] = COMPARABLE) -> pd.DataFrame:
    """The rows of ``runs`` with the data set, student, budget and protocol that all cells of ``table`` have."""
    same = pd.Series(True, runs.index)
    for name in by:
        value = table[name].iloc[0]
        same &= runs[name].isna() if pd.isna(value) else (runs[name] == value).fillna(False).astype(bool)
    return runs[same]


def _setting(table: pd.DataFrame, weighing: bool, weights: bool) -> str:
    """'dataset digits, teacher digits_cnn; kd's: mode kl, alpha 0.9': what is the same in all, and whose it is."""
    differs = varying(table)
    rows = table[~table["is_baseline"]] if not table["is_baseline"].all() else table
    hyperparameters = () if "method" in differs and not weights else ("hyperparameters",)
    fields = [*SETTING, *hyperparameters, *(WEIGHING if weighing else ())]
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
