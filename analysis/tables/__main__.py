"""Tables of a sweep for a paper, a README or a spreadsheet.

example:
  python -m analysis.tables results/sweeps/cifar10_grid
  python -m analysis.tables results/sweeps/cifar10_grid --table differences --format latex --out differences.tex

Only runs of one data set, student, budget and protocol share a table (students are columns of methods); each such set
has its own.
CSV and Parquet hold numbers, a row a cell (of seeds: a cell and seed), accuracies as fractions of 1.
"""

from __future__ import annotations

import argparse
import sys

import pandas as pd

from analysis import frames, places, script
from analysis.stats.cells import cells
from analysis.tables import (
    Table,
    alpha_temperature,
    csv,
    differences_table,
    latex,
    markdown,
    methods_by_network,
    parquet,
    seeds,
    variance_table,
)
from analysis.tables.grid import panels
from kd_trainable.vocabulary import InputError

TABLES = {
    "alpha-temperature": alpha_temperature,
    "methods": methods_by_network,
    "seeds": seeds,
    "differences": differences_table,
    "variance": variance_table,
}
FORMATS = ("markdown", "latex", "csv", "parquet")


def main(arguments: list[str]) -> int:
    """Prints or writes one kind of table; 2 and one line on stderr where that cannot be done."""
    return script.printed(lambda: _made(_parser().parse_args(arguments)))


def _made(given: argparse.Namespace) -> str:
    if given.format == "parquet" and not given.out:
        raise InputError("--format parquet needs --out FILE: it is no text")
    content = _content(_tables(given), given.format)
    if not given.out:
        return content.decode()
    frames.write(*places.above(given.out), content)
    return f"{given.out}\n"


def _tables(given: argparse.Namespace) -> list[Table]:
    runs = frames.runs(*given.folders)
    found = TABLES[given.table or _fitting(runs)](runs)
    if not any(table.rows for table in found):
        raise InputError(" ".join(note for table in found for note in table.notes))
    return found


def _fitting(runs: pd.DataFrame) -> str:
    return "alpha-temperature" if panels(cells(runs)) else "methods"


def _content(tables: list[Table], name: str) -> bytes:
    if name == "parquet":
        return parquet(*tables)
    if name == "csv":
        return csv(*tables).encode()
    text = markdown(*tables) if name == "markdown" else "\n".join(map(latex, tables))
    return text.encode()


def _parser() -> script.Parser:
    parser = script.Parser(
        prog="python -m analysis.tables",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("folders", nargs="+", metavar="FOLDER", help="RESULTS/sweeps/NAME, or RESULTS for all; local or a URI")
    add("--table", choices=TABLES, help="default: alpha-temperature where these were crossed, else methods")
    add("--format", choices=FORMATS, default="markdown", help="default: markdown")
    add("--out", metavar="FILE", help="file to write, instead of printing; parquet needs one")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
