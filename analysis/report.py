"""A whole sweep, or all sweeps of a results folder, as one page: report.html.

``python analysis/report.py RESULTS``, or a sweep's folder, RESULTS/sweeps/NAME. The file needs nothing beside it: it
opens from disk without a network, prints, and works on a phone and by keyboard.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pandas as pd

from analysis import frames, script
from analysis.page.contents import sections
from analysis.page.document import Chapter, html
from analysis.page.parts import ABSENT, Grid, Section, Text
from analysis.page.sweep import Sweep, read, rows_of
from analysis.page.wording import interval
from analysis.places import below, name_of
from analysis.tables.grid import percent
from kd_trainable.vocabulary import InputError

ABOUT = """Writes report.html: a whole sweep, or all of a results folder, as one page: answer, tables, figures.
The file needs nothing beside it, opens without a network, and goes into the folder that it is of; a URI will do."""
HEADER = [
    "sweep",
    "runs",
    "finished",
    "running",
    "without a result",
    "best by what selects",
    "gain (points), 95 % over all cells",
]


def report(folder: str) -> str:
    """Writes ``report.html`` into the folder (a path or a URI) and returns a line that says where.

    A sweep that cannot be read is named in the page; raises InputError where none can, or there is none.
    """
    where = frames.sweeps(folder)
    found = [_read(sweep) for sweep in where]
    broken = [one for one in found if isinstance(one, InputError)]
    if len(broken) == len(found):
        raise broken[0]
    name = name_of(folder)
    alone = where == [below(folder)]
    title = f"Sweep {name}" if alone else f"Sweeps of {name}"
    chapters = [_chapter(place, one) for place, one in zip(where, found, strict=True)]
    page = html(title, _made(), _overview(where, found), chapters, alone)
    frames.write(folder, "report.html", page.encode())
    return f"{below(folder, 'report.html')}\n"


def _read(sweep: str) -> Sweep | InputError:
    try:
        return read(sweep)
    except InputError as error:
        return error


def _chapter(folder: str, sweep: Sweep | InputError) -> Chapter:
    name = name_of(folder)
    anchor = "sweep-" + re.sub(r"[^A-Za-z0-9_-]", "-", name)
    if isinstance(sweep, InputError):
        return Chapter(
            anchor, name, [], [Section("answer", "The answer", [Text(f"It cannot be read: {sweep}", "note")])]
        )
    return Chapter(anchor, name, _paragraphs(str(sweep.about.get("question") or "")), sections(sweep))


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]


def _overview(where: list[str], found: list[Sweep | InputError]) -> Grid:
    rows = [[name_of(folder), *_line(one)] for folder, one in zip(where, found, strict=True)]
    return Grid("Overview", HEADER, rows)


def _line(sweep: Sweep | InputError) -> list[str]:
    if isinstance(sweep, InputError):
        return [ABSENT, ABSENT, ABSENT, ABSENT, "cannot be read", ABSENT]
    running = int((sweep.runs["status"] == "running").sum())
    counts = [len(sweep.runs), len(sweep.finished), running, len(sweep.runs) - len(sweep.finished) - running]
    best = rows_of(sweep.table[sweep.table["best"]])
    words = [
        "; ".join(f"{cell.name}: {percent(cell.mean)} %" for cell in best) or ABSENT,
        "; ".join(map(_gain, best)) or ABSENT,
    ]
    return [*(f"{count:,}" for count in counts), *words]


def _gain(cell: Any) -> str:
    if pd.isna(cell.difference):
        return ABSENT
    return f"{percent(cell.difference, '+')} {interval(cell.family_low, cell.family_high)}".strip()


def _made() -> str:
    try:
        by = f"kd-trainable {version('kd-trainable')}"
    except PackageNotFoundError:
        by = "kd-trainable"
    return f"Made {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by {by}, from the runs' own files."


def main(arguments: list[str]) -> int:
    """Prints where the page is; 2 and one line on stderr where it cannot be made."""
    return script.run(report, "python analysis/report.py RESULTS, or RESULTS/sweeps/NAME", ABOUT, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
