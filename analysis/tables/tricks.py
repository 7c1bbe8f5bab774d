"""Sweeps over the training recipe: rows of tricks, with what each gains alone and what distillation gains under it."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import pandas as pd

from analysis.stats.cells import BLOCK, COMPARABLE, Gain, paired
from analysis.tables.grid import ABSENT, comparable, described, heading, usual, varying, word
from analysis.tables.table import Entry, Table, plain
from analysis.tables.tidy import frame, tidy
from analysis.tables.words import accuracy_words, gain_words, score_words

# The words of fields that do nothing: of two recipes, the one with more of these is the plain one.
OFF = {
    "init": "default",
    **dict.fromkeys(("pretrained", "zero_gamma", "no_bias_decay", "linear_scaling"), "False"),
    **dict.fromkeys(("random_erasing", "cutout", "mixup", "label_smoothing", "dropout", "warmup_epochs"), "0"),
}
RECIPE = tuple(name for name in BLOCK if name not in COMPARABLE)
PLAIN = "plain recipe"
UNDISTILLED = "not distilled"
ARMS = 3  # distilled cells a recipe that still fit on a line
Recipe = tuple[tuple[str, str], ...]  # (exact value, word) of every field of RECIPE


class Trick(NamedTuple):
    """A line: the fields in which the recipe differs from the plain one ('plain recipe' for that), its cells by arm."""

    name: str
    cells: dict[str, Any]


class Sheet(NamedTuple):
    """One table: what it is of, the plain recipe in words, the arms in order, the plain line first."""

    heading: str
    plain: str
    arms: list[str]
    tricks: list[Trick]

    def gain(self, trick: Trick, arm: str) -> Gain | None:
        """What the trick gained over the plain recipe in one arm, paired by seed; None for the plain recipe."""
        cell, plain = trick.cells.get(arm), self.tricks[0].cells.get(arm)
        return None if cell is None or plain is None or trick is self.tricks[0] else paired(cell.by_seed, plain.by_seed)


def sheets(table: pd.DataFrame) -> list[Sheet]:
    """A sheet for each data set, student, budget and protocol; none where the recipe was not swept, or has no plain.

    The plain recipe is that from which the others differ in the fewest fields; a tie is settled by which fields are
    off (``OFF``). In every field it has the value of at least half of the recipes, or one that is off: two learning
    rates are no trick.
    """
    if not set(varying(table)) & set(RECIPE):
        return []
    found = [_sheet(text, group, table) for text, group in comparable(table)]
    return [sheet for sheet in found if sheet] if all(found) else []


def tricks_table(sheet: Sheet, table: pd.DataFrame) -> Table:
    """Per arm test and validation accuracy, what the trick gained and what distillation did."""
    distilled = [arm for arm in sheet.arms if arm != UNDISTILLED]
    held_out = any(cell.protocol != "published" for trick in sheet.tricks for cell in trick.cells.values())
    header = ["trick"]
    for arm in sheet.arms:
        gain = f"gain by {arm}" if len(distilled) > 1 else "gain by distillation"
        header += [arm, *(["validation"] if held_out else []), "gain by trick", *([gain] if arm in distilled else [])]
    rows = tuple(tuple(_line(sheet, trick, usual(table), held_out)) for trick in sheet.tricks)
    cells = frame([cell for trick in sheet.tricks for cell in trick.cells.values()], table)
    return Table(sheet.heading, tuple(header), rows, tidy(cells), (f"Plain recipe: {sheet.plain}.",))


def _line(sheet: Sheet, trick: Trick, n: int, held_out: bool) -> list[Entry]:
    entries = plain([trick.name])
    for arm in sheet.arms:
        cell = trick.cells.get(arm)
        seeds = cell.n if cell is not None else 0
        gains = [gain_words(sheet.gain(trick, arm), seeds), *([gain_words(cell, seeds)] if arm != UNDISTILLED else [])]
        entries += [accuracy_words(cell, n, []), *plain([score_words(cell)] if held_out else []), *plain(gains)]
    return entries


def _sheet(text: str, group: pd.DataFrame, table: pd.DataFrame) -> Sheet | None:
    cells = list(group.itertuples(index=False))
    recipes = list(dict.fromkeys(map(_recipe, cells)))
    plain = _plain(recipes)
    names = _arms(group, table)
    arms = sorted(set(names) - {UNDISTILLED})
    if plain is None or len(arms) > ARMS:
        return None
    tricks = [
        Trick(_name(recipe, plain), {arm: c for arm, c in zip(names, cells, strict=True) if _recipe(c) == recipe})
        for recipe in recipes
    ]
    tricks.sort(key=lambda trick: (trick.name != PLAIN, -_selected(trick)))
    return Sheet(text, _described(recipes, plain), [UNDISTILLED, *arms], tricks)


def _recipe(cell: Any) -> Recipe:
    values = [getattr(cell, name) for name in RECIPE]
    return tuple((str(value), word(value)) for value in values)


def _plain(recipes: list[Recipe]) -> Recipe | None:
    """See ``sheets``."""
    if len(recipes) < 2:
        return None

    counts = [Counter(values) for values in zip(*recipes, strict=True)]

    def place(recipe: Recipe) -> tuple[int, int]:
        alike = sum(count[value] for count, value in zip(counts, recipe, strict=True))
        return -alike, -sum(OFF.get(name) == text for name, (_, text) in zip(RECIPE, recipe, strict=True))

    first, second = sorted(recipes, key=place)[:2]
    usual_or_off = [
        2 * count[value] >= len(recipes) or OFF.get(name) == value[1]
        for name, count, value in zip(RECIPE, counts, first, strict=True)
    ]
    return first if place(first) < place(second) and all(usual_or_off) else None


def _name(recipe: Recipe, plain: Recipe) -> str:
    """'mixup 0.2, linear_scaling'; a field that the recipe merely lacks goes unsaid, its cause is said."""
    words = [
        name if text == "True" else f"{name} {text}"
        for name, (value, text), (usual_value, _) in zip(RECIPE, recipe, plain, strict=True)
        if value != usual_value and text != ABSENT
    ]
    return ", ".join(words) or PLAIN


def _described(recipes: list[Recipe], plain: Recipe) -> str:
    swept = [i for i in range(len(RECIPE)) if len({recipe[i] for recipe in recipes}) > 1]
    given = {RECIPE[i]: plain[i][1] for i in swept if plain[i][1] != ABSENT}
    off = [name for name, text in given.items() if text in ("0", "False")]
    words = [f"{name} {text}" for name, text in given.items() if name not in off]
    return "; ".join(filter(None, [", ".join(words), f"off: {', '.join(off)}" if off else ""]))


def _arms(group: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """For each cell of ``group`` the name of its arm."""
    fields = [name for name in varying(table) if name not in BLOCK]
    words = described(group, fields)
    named = [heading(*_said(fields, text)) or "distilled" for text in words]
    return [UNDISTILLED if alone else name for name, alone in zip(named, group["is_baseline"], strict=True)]


def _said(fields: list[str], words: list[str]) -> tuple[list[str], list[str]]:
    pairs = [(name, text) for name, text in zip(fields, words, strict=True) if text != ABSENT]
    return [name for name, _ in pairs], [text for _, text in pairs]


def _selected(trick: Trick) -> float:
    scores = [cell.selected_by for cell in trick.cells.values() if not pd.isna(cell.selected_by)]
    return sum(scores) / len(scores) if scores else -1.0
