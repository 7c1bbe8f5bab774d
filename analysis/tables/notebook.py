"""A ``Table`` as a styled table of a notebook: HTML that pandas makes."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from analysis.tables.formats import numeric
from analysis.tables.table import BEST, OF_COLUMN, OF_ROW, Entry, Table
from kd_trainable.vocabulary import InputError

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler
    from pandas.io.formats.style_render import CSSDict

# The signs say it all; colour only helps to find them. Blue dark and pale: three steps in grey, and for any eye.
STYLES = {
    BEST: "font-weight: bold; color: #ffffff; background-color: #0072B2",
    OF_COLUMN: "color: #000000; background-color: #cfe6f5",
    OF_ROW: "color: #000000; background-color: #cfe6f5",
}
LOOK: list[CSSDict] = [
    {"selector": "caption", "props": "caption-side: top; text-align: left; max-width: 60em; padding-bottom: 0.6em"},
    {"selector": "th, td", "props": "text-align: left; padding: 0.25em 0.7em; white-space: nowrap"},
    {"selector": "thead th", "props": "border-bottom: 1px solid currentColor"},
]


def styled(table: Table) -> Styler:
    """The table with its best marked, the notes as its caption; shows itself in a notebook, or ``.to_html()``.

    Raises InputError where jinja2, which pandas needs for that, is not installed.
    """
    words = pd.DataFrame([[entry.words for entry in row] for row in table.rows], columns=range(len(table.columns)))
    colours = pd.DataFrame([[_style(entry) for entry in row] for row in table.rows], columns=words.columns)
    try:
        style = words.style
    except (ImportError, AttributeError) as error:  # AttributeError: what pandas makes of it
        raise InputError("a styled table needs jinja2: pip install jinja2") from error
    style = style.apply(lambda _: colours, axis=None) if table.rows else style
    right: list[CSSDict] = [
        {"selector": f".col{i}", "props": "text-align: right; font-variant-numeric: tabular-nums"}
        for i in numeric(table)
    ]
    style = style.format(escape="html").hide(axis="index").set_table_styles([*LOOK, *right])
    style = style.relabel_index([escape(name) for name in table.columns], axis="columns") if table.columns else style
    return style.set_caption(_caption(table))


def _style(entry: Entry) -> str:
    return next((style for sign, style in STYLES.items() if sign in entry.marks), "")


def _caption(table: Table) -> str:
    title = f"<strong>{escape(table.title)}</strong>" if table.title else ""
    return "<br>".join(filter(None, [title, *map(escape, table.notes)]))
