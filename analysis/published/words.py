"""Published tables with ours beside them (``compare.compared``) -> Markdown."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.published.literature import IDENTITY, matched, training
from analysis.tables.grid import percent
from analysis.tables.words import aligned

RULES = {
    "best": "Theirs is the best epoch on the test set, so ours is too: biased upwards, both.",
    "last": "Theirs is the last epoch, so ours is too.",
    "unknown": "Which epoch theirs is of is not said; ours is the last.",
}
HEAD = """# Published numbers beside ours

Test accuracy in %. Theirs come without an uncertainty, most are single runs. Ours: mean over our seeds ± half of the
95 % interval of that mean (t), where there is more than one; blank where nothing of ours fits. Difference: ours less
theirs, in points. Where several recipes of ours fit, theirs is shown if we have it, else our longest; the others are in
no mean."""
BLANK = ""
OFTEN = 5  # rows; a note on more of them stands above the table


def report(tables: dict[str, pd.DataFrame]) -> str:
    """All tables under one heading."""
    parts = [HEAD, *(_section(name, table) for name, table in tables.items())]
    return "\n\n".join(parts) + "\n"


def _section(name: str, table: pd.DataFrame) -> str:
    source = "; ".join(dict.fromkeys(f"[{s}]({link})" for s, link in zip(table["source"], table["link"], strict=True)))
    fields = [field for field in IDENTITY if field in table and table[field].fillna("").nunique() > 1]
    notes = table["note"].fillna("").value_counts()
    often = [str(note) for note, count in notes.items() if note and count > OFTEN]
    beside = table[table["ours"].notna()]
    common = _common(beside["differs"])
    lines = [source, *_constant(table, fields), *(RULES[rule] for rule in dict.fromkeys(table["epoch"]))]
    lines += [f"Of {notes[note]} rows: {note}." for note in often]
    lines += ["Nothing of ours fits." if beside.empty else f"Ours for {len(beside)} of {len(table)} rows."]
    lines += _seeds_alone(table)
    lines += [f"Ours differs throughout: {'; '.join(common)}."] if common else []
    header = ["note", *fields, "theirs", "ours", "n", "difference", "ours differs", "also ours, not in the mean"]
    body = [_row(row, fields, common, often) for _, row in table.iterrows()]
    return f"## {name}\n\n" + "\n".join(f"- {line}" for line in lines) + "\n\n" + aligned(_trimmed([header, *body]))


def _row(row: Any, fields: list[str], common: list[str], often: list[str]) -> list[str]:
    note = BLANK if pd.isna(row["note"]) or row["note"] in often else str(row["note"])
    words = [note, *(BLANK if pd.isna(row[field]) else str(row[field]) for field in fields)]
    theirs = BLANK if pd.isna(row["value"]) else percent(row["value"])
    if pd.isna(row["ours"]):
        return [*words, theirs, *[BLANK] * 5]
    half = "" if pd.isna(row["ours_half_width"]) else f" ± {percent(row['ours_half_width'])}"
    apart = BLANK if pd.isna(row["difference"]) else percent(row["difference"], "+")
    differs = [word for word in str(row["differs"]).split("; ") if word not in common]
    ours = percent(row["ours"]) + half
    return [*words, theirs, ours, str(row["ours_n"]), apart, "; ".join(differs), str(row["others"])]


def _constant(table: pd.DataFrame, fields: list[str]) -> list[str]:
    """What all rows share, and how theirs were trained."""
    same = [f for f in matched(table) if f not in fields and table[f].nunique(dropna=False) == 1]
    shared = [f"{f} {table[f].iloc[0]}" for f in same if pd.notna(table[f].iloc[0])]
    recipe = [f"{f} {', '.join(dict.fromkeys(table[f].dropna()))}" for f in training(table)]
    teachers = ", ".join(percent(value) for value in dict.fromkeys(table["teacher_accuracy"].dropna()))
    lines = [f"Throughout: {', '.join(shared)}."] if shared else []
    lines += [f"Their training: {', '.join(recipe)}."] if recipe else []
    return lines + ([f"Their teachers: {teachers} %."] if teachers else [])


def _seeds_alone(table: pd.DataFrame) -> list[str]:
    """Where rows differ in nothing but the seed, how far that moves theirs and ours."""
    if "seed" not in table:
        return []
    seeds = table[table["seed"].notna()]
    spans = {of: seeds[column].dropna() for of, column in (("theirs", "value"), ("ours", "ours"))}
    words = [
        f"{of} by {percent(span.max() - span.min())} points ({len(span)} seeds)"
        for of, span in spans.items()
        if len(span) > 1
    ]
    return [f"The seed alone moves {', '.join(words)}."] if words else []


def _common(differs: pd.Series) -> list[str]:
    """What differs in every row that we have."""
    lists = [text.split("; ") for text in differs if text]
    return (
        [word for word in lists[0] if all(word in other for other in lists)] if len(lists) == len(differs) > 0 else []
    )


def _trimmed(rows: list[list[str]]) -> list[list[str]]:
    """The rows without the columns that are blank throughout."""
    kept = [
        i for i, column in enumerate(zip(*rows[1:], strict=True)) if any(column) or rows[0][i] in ("theirs", "ours")
    ]
    return [[row[i] for i in kept] for row in rows]
