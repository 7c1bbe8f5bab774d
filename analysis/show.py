"""What notebooks show things with: a figure as a picture, a table as a table, or a line that says why there is none.

Needs IPython, which every notebook has: ``pip install 'kd-trainable[notebooks]'``.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import Image, Markdown, display
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from analysis.plots.paper import DPI
from analysis.tables.grid import ABSENT
from analysis.tables.notebook import styled
from analysis.tables.table import Table
from kd_trainable.vocabulary import InputError

EXAMPLES = Path("analysis", "notebooks", "results")
# what Optuna's importance brings along asks for widgets that would show the progress of loops that nobody waits for
warnings.filterwarnings("ignore", message="IProgress not found")
LOOK: Any = [{"selector": "th, td", "props": "text-align: left; vertical-align: top; padding: 0.25em 0.7em"}]
SCREEN = 96  # dots of an inch of a picture on a page; it has DPI, so that it stays sharp on a fine screen


def example(sweep: str = "") -> str:
    """The folder of small real results beside the notebooks, or of one sweep of it, wherever the notebook runs.

    Raises InputError outside a checkout of the repository: an installed package has none.
    """
    beside, here = Path(__file__).parents[1], Path.cwd()
    found = next((root / EXAMPLES for root in (beside, here, *here.parents) if (root / EXAMPLES).is_dir()), None)
    if found is None:
        raise InputError(f"{EXAMPLES}: not found; the examples are in the repository: set RESULTS to a folder of yours")
    return str(found / "sweeps" / sweep) if sweep else str(found)


def show(what: Any, *given: Any) -> None:
    """Displays ``what``, or where it is a function ``what(*given)``: a figure, a DataFrame, a table or several.

    Where that cannot be made (figures raise ValueError then, and InputError is one) or is empty, a line says so.
    """
    try:
        made = what(*given) if callable(what) else what
    except ValueError as error:
        say(f"Not shown: {error}.")
        return
    for part in made if isinstance(made, list) else [made]:
        _display(part)


def say(*sentences: str) -> None:
    """Displays sentences, a line each where there are several."""
    mark = "- " if len(sentences) > 1 else ""
    display(Markdown("\n".join(f"{mark}{_literal(sentence)}" for sentence in sentences)))


def _display(part: Any) -> None:
    if isinstance(part, Figure):
        display(picture(part))
    elif isinstance(part, Table) and not part.rows:
        say(*part.notes)
    else:
        display(styled(part) if isinstance(part, Table) else framed(part))


def framed(table: pd.DataFrame) -> Styler:
    """A DataFrame with its index: numbers of two decimals at most, sentences whole, a dash where nothing is known."""
    style = table.style.format(_word, escape="html").set_table_styles(LOOK)
    return style.format_index(_word, escape="html").format_index(_word, axis="columns", escape="html")


def picture(figure: Figure) -> Image:
    """A figure as PNG, as wide on a page as it is in inches."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI)
    wide = round(SCREEN * figure.get_figwidth())
    return Image(content.getvalue(), format="png", width=wide, alt=figure.get_suptitle() or None)


def _word(value: Any) -> str:
    if pd.isna(value):
        return ABSENT
    return f"{value:,.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _literal(sentence: str) -> str:
    """What Markdown would take for emphasis or mathematics, e.g. in names with underscores, stands as it is."""
    return "".join(f"\\{sign}" if sign in "_*$<`" else sign for sign in sentence)
