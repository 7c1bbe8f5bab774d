"""Sweeps over methods or networks: a line for each way to distil, best first, under the baseline."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from analysis.stats.cells import BLOCK, COMPARABLE
from analysis.tables.grid import ABSENT, described, percent, usual, varying
from analysis.tables.table import BEST, OF_COLUMN, Entry, Table, leading, plain
from analysis.tables.tidy import tidy
from analysis.tables.words import accuracy_words, cell_words, gain_words

BUDGET = tuple(name for name in COMPARABLE if name != "student")  # a table has one of each; students are columns


class Network(NamedTuple):
    """A column: a student, and its teacher where several were tried."""

    name: str
    student: Any
    teacher: Any

    def holds(self, cell: Any) -> bool:
        """Whether a cell stands here. What has no teacher, as a baseline, stands under each."""
        return cell.student == self.student and (
            pd.isna(self.teacher) or pd.isna(cell.teacher) or cell.teacher == self.teacher
        )


def compares_methods(table: pd.DataFrame) -> bool:
    """Whether methods or students were swept, and nothing else that has nothing to do with the teacher."""
    fields = set(varying(table))
    return bool(fields & {"method", "student"}) and not fields & (set(BLOCK) - {"student"})


def methods_table(table: pd.DataFrame, title: str = "") -> Table:
    """Lines are methods, with whatever else was swept; columns accuracy, validation, gain, n, or the networks.

    ``table``: cells of one data set, budget and protocol.
    """
    networks = networks_of(table)
    apart = (*BUDGET, "student", *(["teacher"] if len(networks) > 1 else []))
    fields = [name for name in varying(table) if name not in apart]
    fields = with_weights(table, fields if "method" in fields else ["method", *fields])
    ranked = table.assign(ahead=ahead(table, fields))
    ranked = ranked.sort_values(["is_baseline", "ahead"], ascending=False, kind="stable").drop(columns="ahead")
    rows = list(zip(ranked.itertuples(index=False), described(ranked, fields), strict=True))
    numbers = tidy(ranked)
    if len(networks) < 2:
        return _one(rows, fields, usual(table), Table(title, (), (), numbers))
    return _by_network(rows, fields, networks, usual(table), Table(title, (), (), numbers))


def networks_of(table: pd.DataFrame) -> list[Network]:
    """The columns: students, or students and teachers where teachers were swept."""
    distilled = table[~table["is_baseline"]]
    students = sorted(table["student"].dropna().unique())
    if distilled["teacher"].nunique() < 2:
        return [Network(student, student, None) for student in students]
    found = []
    for student in students:
        teachers: list[Any] = sorted(distilled.loc[distilled["student"] == student, "teacher"].dropna().unique())
        for teacher in teachers or [None]:
            words = f"teacher {teacher}" if len(students) == 1 else f"{student} (teacher {teacher})"
            found.append(Network(words if teacher else student, student, teacher))
    return found


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


def _one(rows: list[tuple[Any, list[str]]], fields: list[str], n: int, empty: Table) -> Table:
    held_out = any(cell.protocol != "published" for cell, _ in rows)
    header = ["", *fields, "test accuracy", *(["validation"] if held_out else []), "gain over the baseline", "n"]
    lines = []
    for cell, words in rows:
        score = ABSENT if pd.isna(cell.selected_by) or cell.protocol == "published" else percent(cell.selected_by)
        behind = [*([score] if held_out else []), gain_words(cell, cell.n), str(cell.n)]
        lines.append((*plain([role(cell), *words]), accuracy_words(cell, n, []), *plain(behind)))
    return empty._replace(columns=tuple(header), rows=tuple(lines))


def _by_network(
    rows: list[tuple[Any, list[str]]], fields: list[str], networks: list[Network], n: int, empty: Table
) -> Table:
    lines: dict[tuple[Any, ...], dict[Network, Any]] = {}
    for cell, words in rows:
        name = "" if cell.best else role(cell)  # each student has its own best, which a star marks
        here = [network for network in networks if network.holds(cell)]
        place = 0
        while not lines.setdefault((place, name, *words), {}).keys().isdisjoint(here):
            place += 1  # 0.1 and 0.10000001 read alike, and would hide one another
        lines[(place, name, *words)] |= dict.fromkeys(here, cell)
    heads = {network: _heads(lines, network) for network in networks if not pd.isna(network.teacher)}
    body = [
        (*plain(key[1:]), *(_entry(cells.get(w), n, key in heads.get(w, ())) for w in networks))
        for key, cells in lines.items()
    ]
    return empty._replace(columns=("", *fields, *(network.name for network in networks)), rows=tuple(body))


def _heads(lines: dict[tuple[Any, ...], dict[Network, Any]], network: Network) -> set[tuple[Any, ...]]:
    """The lines that lead a column."""
    return leading({key: cells.get(network) for key, cells in lines.items()})


def _entry(cell: Any, n: int, leads: bool) -> Entry:
    entry = cell_words(cell, n)
    return entry._replace(marks=OF_COLUMN) if leads and entry.marks != BEST else entry
