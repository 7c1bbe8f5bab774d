"""docs/reliability.md: made of the outcomes that the tests of faults recorded, and of nothing else."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from itertools import groupby

from ledger import Outcome

INTRODUCTION = """\
# What was broken, and what became of it

Written by the tests themselves (`make test-faults`), which made each fault happen to a real sweep: processes killed,
bytes overwritten, networks cut, clocks moved. What was lost and repeated is counted from the files of the results
folder, and the final table is compared, bit for bit, with that of the same sweep undisturbed.

- **lost**: finished runs whose result was gone or had changed, and runs without a finished result at the end
- **repeated**: runs that had a finished result before the fault and were attempted again
- **table equal**: every accuracy of every run and epoch is the undisturbed sweep's; – where there is no such table
- **left behind**: processes, shared memory and temporary files that were still there a minute after the end
"""
COLUMNS = ("fault", "injected", "lost", "repeated", "table equal", "left behind", "")


def page(outcomes: Iterable[Outcome], measured: Mapping[str, Sequence[Mapping[str, str]]] | None = None) -> str:
    """The page: a row for each fault, in order, outcomes of one fault added up; then what was measured, by title."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.fault)
    rows = [_row(fault, list(group)) for fault, group in groupby(ordered, key=lambda outcome: outcome.fault)]
    table = [_line(COLUMNS), _line(["---", *["---:"] * 3, "---", "---", "---"]), *map(_line, rows)]
    further = [line for title, found in sorted((measured or {}).items()) for line in _section(title, found)]
    return "\n".join([INTRODUCTION, *table, "", *further, _where(), ""])


def _row(fault: str, same: Sequence[Outcome]) -> list[str]:
    compared = [outcome.equal for outcome in same if outcome.equal is not None]
    equal = "–" if not compared else "yes" if all(compared) else "no"
    left = sorted({text for outcome in same for text in outcome.left})
    notes = dict.fromkeys(outcome.note for outcome in same if outcome.note)
    counts = [sum(numbers) for numbers in zip(*((o.injected, o.lost, o.repeated) for o in same), strict=True)]
    return [fault, *map(str, counts), equal, "; ".join(left) or "nothing", "; ".join(notes)]


def _section(title: str, rows: Sequence[Mapping[str, str]]) -> list[str]:
    columns = list(rows[0])
    return [f"## {title}", "", _line(columns), _line(["---"] * len(columns)), *(_line(r.values()) for r in rows), ""]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _where() -> str:
    """On what this was measured."""
    parts = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in ("ray", "torch"))]
    return f"{platform.system()}, {os.cpu_count()} processors, {', '.join(parts)}."
