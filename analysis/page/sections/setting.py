"""What was swept and what was fixed, and the teacher's card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.page.parts import Facts, Folded, Grid, Section, Text
from analysis.page.sweep import Sweep
from analysis.page.wording import per_cent, several
from analysis.tables.grid import word
from kd_trainable.records import SPEC_COLUMNS, default_of

VALUES = 30  # of a swept field that are listed
MEANINGS = {column.name: column.meaning for column in SPEC_COLUMNS}
CARD = (  # the card's fields that a reader wants first, and what they are called
    ("architecture", "network"),
    ("dataset", "data set"),
    ("test_accuracy", "test accuracy"),
    ("validation_accuracy", "validation accuracy"),
    ("parameters", "parameters"),
    ("trained_on", "trained on"),
    ("fingerprint", "fingerprint"),
)


def spec(sweep: Sweep) -> Section:
    """From the runs themselves, so that it is what was trained and not what was meant."""
    values = {name: _values(sweep.runs, name) for name in MEANINGS}
    swept = [
        [name, str(len(found)), _listed(found), MEANINGS[name]] for name, found in values.items() if len(found) > 1
    ]
    fixed = {name: found[0] for name, found in values.items() if len(found) == 1}
    own = [[name, value, MEANINGS[name]] for name, value in fixed.items() if not _default(sweep.runs, name)]
    usual = [[name, value, MEANINGS[name]] for name, value in fixed.items() if _default(sweep.runs, name)]
    parts: list[Any] = [
        Grid("Swept", ["field", "values", "which", "meaning"], swept) if swept else Text("Nothing was swept.", "note"),
        Grid("Fixed", ["field", "value", "meaning"], own),
    ]
    if usual:
        grid = Grid("Fixed, at its default", ["field", "value", "meaning"], usual)
        parts.append(Folded(f"{several(len(usual), 'field')} at the default", [grid]))
    return Section("spec", "What was fixed and what was swept", parts)


def _values(runs: pd.DataFrame, name: str) -> list[str]:
    return [word(value) for value in sorted(runs[name].dropna().unique())]


def _listed(values: list[str]) -> str:
    more = f" and {len(values) - VALUES} more" if len(values) > VALUES else ""
    return ", ".join(values[:VALUES]) + more


def _default(runs: pd.DataFrame, name: str) -> bool:
    return bool((runs[name].dropna() == default_of(name)).all()) if default_of(name) is not None else False


def teacher(sweep: Sweep) -> Section:
    """The card that sweep.json holds; else what the runs say of the teacher."""
    card = sweep.about.get("teacher")
    parts = _card(card) if isinstance(card, Mapping) and card else _from_runs(sweep)
    saw = sorted(set(sweep.runs["teacher_saw_validation"].dropna()))
    if {"yes", "unknown"} & set(saw):
        parts.append(
            Text(
                f"Whether it trained on the validation images: {', '.join(saw)}. If so, selection is flattered.", "note"
            )
        )
    return Section("teacher", "The teacher's card", parts)


def _card(card: Mapping[str, Any]) -> list[Any]:
    pairs = [(called, _said(name, card[name])) for name, called in CARD if card.get(name) is not None]
    rest = [
        (name, _plain(value)) for name, value in card.items() if name not in dict(CARD) and value not in (None, "", {})
    ]
    return [Facts(pairs), *([Folded("The whole card", [Facts(rest)])] if rest else [])]


def _said(name: str, value: Any) -> str:
    if name.endswith("accuracy") and isinstance(value, int | float):
        return per_cent(value)
    return f"{value:,}" if isinstance(value, int) else _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(own)}" for name, own in value.items() if own is not None)
    if isinstance(value, list | tuple):
        return " ".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _from_runs(sweep: Sweep) -> list[Any]:
    taught = sweep.runs[sweep.runs["teacher"].notna()]
    if taught.empty:
        return [Text("No run has a teacher.", "note")]
    prints = taught.groupby("teacher", sort=True)["teacher_fingerprint"].agg(
        lambda f: ", ".join(sorted(set(f.dropna())))
    )
    pairs = [
        (str(name), f"fingerprint {found}" if found else "no fingerprint recorded") for name, found in prints.items()
    ]
    return [
        Facts(pairs),
        Text("No card was written beside this sweep: the teacher's accuracy is not known here.", "note"),
    ]
