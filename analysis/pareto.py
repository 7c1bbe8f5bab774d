"""The best student for a size or latency budget: pareto.md, pareto.csv and pareto.png in the results folder.

``python analysis/pareto.py RESULTS`` (or RESULTS/sweeps/NAME); ``python -m analysis.pareto`` does the same. Of each
student the cell that validation chooses competes, at its longest training; the students are compared by test accuracy,
within one data set and protocol. With --min-accuracy the smallest that reaches it is chosen, else the most accurate
that fits.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable

import pandas as pd

from analysis import frames, script
from analysis.plots.paper import save
from analysis.plots.pareto import pareto as drawn
from analysis.stats.budget import Budget, judged
from analysis.stats.cells import KEY
from analysis.strangers import for_spreadsheet
from analysis.tables.contenders import report

FILES = ("pareto.md", "pareto.csv", "pareto.png")
TOLD = ("is_baseline", "mean", "sd", "half_width", "n", "seeds", "selected_by", "without_teacher",
        "without_half_width", "without_n", "parameters", "latency_seconds", "device", "teacher_agreement", "by_size",
        "by_latency", "fits", "chosen")  # fmt: skip


def pareto(folder: str, budget: Budget | None = None) -> str:
    """Writes the three files into a results folder, or a sweep's, and returns pareto.md.

    Where there is but one student, or none has finished, or neither sizes nor latencies are known, there is no picture.
    Raises InputError where there are no runs, or they cannot be read.
    """
    budget = budget or Budget()
    runs = frames.runs(folder)
    table = judged(runs, budget)
    text = report(table, runs, budget)
    frames.write(folder, "pareto.md", text.encode())
    frames.write(folder, "pareto.csv", _csv(table))
    try:
        figure = drawn(runs)
    except ValueError:  # there is nothing to draw, as the text says
        frames.remove(folder, "pareto.png")
    else:
        save(figure, folder, "pareto.png")
    return text


def _csv(table: pd.DataFrame) -> bytes:
    content = io.StringIO()
    told = [*KEY, *TOLD]
    for_spreadsheet(table[told]).to_csv(content, index=False, lineterminator="\n")
    return content.getvalue().encode()


def _number(lowest: float, highest: float = float("inf"), unit: str = "") -> Callable[[str], float]:
    """A parser of a number above ``lowest`` and up to ``highest``."""

    def parsed(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not lowest < value <= highest:  # nor NaN
            until = "" if highest == float("inf") else f" and at most {highest:g}"
            raise argparse.ArgumentTypeError(f"it must be a number{unit} above {lowest:g}{until}, not {text!r}")
        return value

    return parsed


def _asked(arguments: list[str]) -> argparse.Namespace:
    """The flags; --help leaves with 0. Raises InputError for what is not understood."""
    doc, _, how = str(__doc__).partition("\n\n")
    parser = script.Parser(
        prog="python analysis/pareto.py",
        description=f"{doc}\n\n{how}",
        usage="python analysis/pareto.py RESULTS [flags]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="RESULTS", help="a results folder, or a sweep's; a path or a URI")
    parser.add_argument("--max-parameters", metavar="N", type=_number(0), help="trainable parameters; 1e6 will do")
    text = "milliseconds for one image, on each device for itself"
    parser.add_argument("--max-latency-ms", metavar="MS", type=_number(0), help=text)
    # below 1 it is a fraction that somebody took for per cent
    text = "test accuracy in per cent, above 1"
    parser.add_argument("--min-accuracy", metavar="PCT", type=_number(1, 100, " of per cent"), help=text)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Prints pareto.md and what was written; 2 and one line on stderr where that cannot be done."""

    def answer() -> str:
        asked = _asked(arguments)
        size = None if asked.max_parameters is None else int(asked.max_parameters)
        text = pareto(asked.folder, Budget(size, asked.max_latency_ms, asked.min_accuracy))
        return text + script.written(asked.folder, FILES)

    return script.printed(answer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
