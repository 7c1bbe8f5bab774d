"""How cells lie on paper: alpha x temperature panels, what tells one cell from another, and their words."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

import pandas as pd

from analysis.stats.cells import BLOCK, COMPARABLE, KEY
from analysis.stats.weights import in_words, swept

# What a reader is shown of a cell's key: a schedule stands in the place of the value that it replaces.
SHOWN = tuple(name for name in KEY if name not in ("temperature_schedule", "alpha_schedule"))
AXES = ("alpha", "temperature")
ABSENT = "–"
NOT_GIVEN = "[]"  # a run's own taps, where it has left them to its method


class Level(NamedTuple):
    """A place on an axis; sorts numbers first, then schedules, then 'has none' (logit_mse has no T)."""

    rank: int
    value: float
    schedule: str

    @property
    def text(self) -> str:
        return (f"{self.value:g}", self.schedule, ABSENT)[self.rank]


class Panel(NamedTuple):
    """One alpha x temperature table: its heading and its cells (rows of ``stats.cells``) by (alpha, T)."""

    heading: str
    mode: str
    alphas: list[Level]
    temperatures: list[Level]
    cells: dict[tuple[Level, Level], Any]


def level(cell: Any, axis: str) -> Level:
    """Where a cell lies on ``axis``, alpha or temperature."""
    value, schedule = getattr(cell, axis), getattr(cell, f"{axis}_schedule")
    if pd.notna(value):
        return Level(0, float(value), "")
    return Level(1, 0.0, str(schedule)) if pd.notna(schedule) else Level(2, 0.0, "")


def varying(table: pd.DataFrame) -> list[str]:
    """Fields of ``SHOWN`` in which cells differ.

    That a baseline has no teacher, T, alpha and mode is no difference, nor that a method or an optimizer has none of
    what another has: attention transfer beside kd at one T does not vary T, nor adam beside sgd the momentum.
    """
    distilled = table[~table["is_baseline"]]
    return [name for name in SHOWN if _differs(table if name in BLOCK else distilled, name)]


def described(table: pd.DataFrame, fields: list[str]) -> list[list[str]]:
    """The words for ``fields`` of each cell, e.g. ['kl', '0.5', '–']."""
    columns = [_words(table, name) for name in fields]
    return [list(words) for words in zip(*columns, strict=True)] if fields else [[] for _ in range(len(table))]


def panels(table: pd.DataFrame) -> list[Panel]:
    """The distilled cells that have an alpha, one panel for each mode and each combination of the other varying fields.

    None where alpha x temperature is the wrong picture: neither was swept while something else was, or a searcher
    drew them so that most of the crossings are empty.
    """
    distilled = table[~table["is_baseline"]]
    others = [name for name in varying(table) if name not in (*AXES, "mode")]
    fields = ["mode", *others]
    all_cells = len(distilled)
    weighed = [level(cell, "alpha").text != ABSENT for cell in distilled.itertuples(index=False)]
    distilled = distilled[pd.Series(weighed, distilled.index, dtype=bool)]
    distilled = distilled.sort_values([*others, "mode"], kind="stable")  # so that modes lie side by side
    # by value, not by word: 0.1 and 0.10000001 read alike, and would hide one another
    keys = zip(*(_values(distilled, name) for name in fields), strict=True)
    found: dict[Any, tuple[str, list[Any]]] = {}
    for key, words, cell in zip(keys, described(distilled, fields), distilled.itertuples(index=False), strict=True):
        found.setdefault(key, (heading(fields, words), []))[1].append(cell)
    result = [_panel(text, cells) for text, cells in found.values()]
    return result if _fits(result, len(distilled), all_cells) else []


def heading(fields: list[str], words: list[str]) -> str:
    """Names and values in a line: 'mode kl, student resnet8'; schedules and missing values in the same way."""
    return ", ".join(f"{name} {text}" for name, text in zip(fields, words, strict=True))


def comparable(table: pd.DataFrame, by: tuple[str, ...] = COMPARABLE) -> list[tuple[str, pd.DataFrame]]:
    """The cells of each data set, student, budget and protocol, and what tells them from the others, '' for one."""
    fields = [name for name in varying(table) if name in by]
    groups = [group for _, group in table.groupby([*by], dropna=False, sort=True)]
    return [(heading(fields, described(group, fields)[0]), group) for group in groups]


def absence(cell: Any) -> str:
    """Which of a cell's runs gave no result, and why: '2 failed', 'stopped at 3', '1 failed, 2 unfinished' or ''."""
    if cell is None:
        return ABSENT
    words = [f"{cell.n_failed} failed"] if cell.n_failed else []
    if cell.n_stopped == 1:
        words.append(f"stopped at {cell.stopped_at}")
    elif cell.n_stopped:
        words.append(f"{cell.n_stopped} stopped by epoch {cell.stopped_at}")
    if cell.n_unfinished:
        words.append(f"{cell.n_unfinished} unfinished")
    return ", ".join(words)


def seeds(values: list[int]) -> str:
    """'seed 0', 'seeds 0, 1, 2' or, where there are more than four in a row, 'seeds 0–9'."""
    if len(values) == 1:
        return f"seed {values[0]}"
    if len(values) > 4 and values == list(range(values[0], values[-1] + 1)):
        return f"seeds {values[0]}–{values[-1]}"
    return f"seeds {', '.join(map(str, values))}"


def usual(table: pd.DataFrame) -> int:
    """The number of finished seeds that most cells have, the larger of two that are equally common."""
    return int(table.loc[table["n"] > 0, "n"].mode().max())


def percent(fraction: float, sign: str = "") -> str:
    """A fraction of 1 in per cent (or points), two decimals, halves rounded away from 0, never '-0.00'."""
    exact = Decimal(repr(round(100 * float(fraction), 7)))  # one number, however it was summed, has one rounding
    return f"{exact.quantize(Decimal('0.01'), ROUND_HALF_UP) + 0:{sign}.2f}"


def _values(table: pd.DataFrame, name: str) -> list[Any]:
    if name in AXES:
        return [level(cell, name) for cell in table.itertuples(index=False)]
    return list(table[name])


def _words(table: pd.DataFrame, name: str) -> list[str]:
    if name == "hyperparameters":
        return [text or ABSENT for text in in_words(table)]
    return [word(value) for value in _values(table, name)]


def word(value: Any) -> str:
    """A field's value as a reader sees it: '0.5', '–' for none, '60 120' for '[60, 120]'."""
    if isinstance(value, Level):
        return value.text
    if pd.isna(value):
        return ABSENT
    if str(value) == NOT_GIVEN:
        return "default"
    if str(value).startswith("["):
        return _listed(str(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _listed(text: str) -> str:
    try:
        return " ".join(map(str, json.loads(text)))
    except ValueError:  # not written by this project: as it stands
        return text


def _differs(table: pd.DataFrame, name: str) -> bool:
    if name == "hyperparameters":
        return bool(swept(table))
    values = _values(table, name)
    has = {value for value in values if word(value) != ABSENT}
    if len(has) > 1 or name not in (*AXES, "peer"):
        return len(has) > 1
    # logit_mse has no T beside kl's; a missing peer is the student's own
    return len(set(zip(table["method"], values, strict=True))) > table["method"].nunique(dropna=False)


def _panel(text: str, cells: list[Any]) -> Panel:
    placed = {(level(cell, "alpha"), level(cell, "temperature")): cell for cell in cells}
    alphas, temperatures = ({places[axis] for places in placed} for axis in (0, 1))
    return Panel(text, word(cells[0].mode), sorted(alphas), sorted(temperatures), placed)


def _fits(found: list[Panel], cells: int, all_cells: int) -> bool:
    crossings = sum(len(panel.alphas) * len(panel.temperatures) for panel in found)
    swept = any(len(panel.cells) > 1 for panel in found)
    return (swept or cells == all_cells == 1) and crossings <= 2 * cells
