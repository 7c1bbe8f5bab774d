"""Sweeps over methods or students: a line for each way to distil, best first, under the baseline."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.stats.cells import BLOCK
from analysis.tables.grid import ABSENT, described, percent, usual, varying
from analysis.tables.words import accuracy_words, aligned, cell_words, gain_words


def compares_methods(table: pd.DataFrame) -> bool:
    """Whether methods or students were swept, and nothing else that has nothing to do with the teacher."""
    fields = set(varying(table))
    return bool(fields & {"method", "student"}) and not fields & (set(BLOCK) - {"student"})


def methods_table(table: pd.DataFrame) -> str:
    """Lines are methods, with whatever of theirs was swept; columns accuracy, validation, gain, n, or the students."""
    fields = [name for name in varying(table) if name not in BLOCK]
    fields = with_weights(table, fields if "method" in fields else ["method", *fields])
    ranked = table.assign(ahead=ahead(table, fields)).sort_values(
        ["is_baseline", "ahead"], ascending=False, kind="stable"
    )
    rows = list(zip(ranked.itertuples(index=False), described(ranked, fields), strict=True))
    students = sorted(table["student"].dropna().unique())
    return _by_student(rows, fields, students, usual(table)) if len(students) > 1 else _one(rows, fields, usual(table))


def with_weights(table: pd.DataFrame, fields: list[str]) -> list[str]:
    """``fields`` with the hyperparameters behind the method, where any method has some."""
    unknown = all(words == [ABSENT] for words in described(table, ["hyperparameters"]))
    if unknown or "method" not in fields or "hyperparameters" in fields:
        return fields
    behind = fields.index("method") + 1
    return [*fields[:behind], "hyperparameters", *fields[behind:]]


def ahead(table: pd.DataFrame, fields: list[str]) -> pd.Series:
    """How far a line is ahead by what selects: of the student's median, and on average over the students."""
    lead = table["selected_by"] - table.groupby("student", dropna=False)["selected_by"].transform("median")
    names = pd.Series([tuple(words) for words in described(table, fields)], index=table.index)
    return lead.groupby([names, table["is_baseline"]]).transform("mean")


def role(cell: Any) -> str:
    """'baseline', 'control' for a negative one, 'best' or ''."""
    if cell.is_baseline:
        return "baseline"
    return "best" if cell.best else "" if pd.isna(cell.control) or cell.control == "none" else "control"


def _one(rows: list[tuple[Any, list[str]]], fields: list[str], n: int) -> str:
    held_out = any(cell.protocol != "published" for cell, _ in rows)
    header = ["", *fields, "test accuracy", *(["validation"] if held_out else []), "gain over the baseline", "n"]
    lines = [header]
    for cell, words in rows:
        score = ABSENT if pd.isna(cell.selected_by) or cell.protocol == "published" else percent(cell.selected_by)
        numbers = [accuracy_words(cell, n, []), *([score] if held_out else [])]
        lines.append([role(cell), *words, *numbers, gain_words(cell, cell.n), str(cell.n)])
    return aligned(lines)


def _by_student(rows: list[tuple[Any, list[str]]], fields: list[str], students: list[str], n: int) -> str:
    lines: dict[tuple[str, ...], dict[str, Any]] = {}
    for cell, words in rows:
        name = "" if cell.best else role(cell)  # each student has its own best, which a star marks
        lines.setdefault((name, *words), {})[cell.student] = cell
    body = [[*words, *(cell_words(cells.get(s), n) for s in students)] for words, cells in lines.items()]
    return aligned([["", *fields, *students], *body])
