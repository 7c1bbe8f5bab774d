"""Every figure that fits a sweep, as files in its folder plots/.

``python -m analysis.plots RESULTS/sweeps/NAME [--figure NAME ...] [--format png|svg] [--out DIR]``
"""

from __future__ import annotations

import argparse
import sys

import pandas as pd

from analysis import frames, places, script
from analysis.plots.figures import FIGURES, draw
from analysis.plots.paper import FORMATS, save
from kd_trainable.vocabulary import require_known

TOGETHER = "plots"  # the folder of the figures in that of a sweep


def plots(folder: str, names: list[str], kind: str = "png", out: str = "") -> str:
    """Writes the figures of a sweep, or of a whole results folder, into ``out``, or else its folder plots/.

    Returns a line for each: where it is, or why it does not fit; one of an earlier time is then removed. Raises
    InputError where there are no runs, or they cannot be read.
    """
    runs = frames.runs(folder)
    epochs = frames.epochs(folder) if any(FIGURES[name].epochs for name in names) else None
    where = out or places.below(folder, TOGETHER)
    make_folder(where)
    return "".join(f"{_written(name, runs, epochs, where, kind)}\n" for name in names)


def make_folder(folder: str) -> None:
    """Makes a folder, and those above it, where there is none."""
    files, path = places.located(folder)
    files.create_dir(path, recursive=True)


def _written(name: str, runs: pd.DataFrame, epochs: pd.DataFrame | None, where: str, kind: str) -> str:
    try:
        figure = draw(name, runs, epochs)
    except ValueError as error:
        frames.remove(where, f"{name}.{kind}")
        return f"no {name}: {' '.join(str(error).split())}"
    save(figure, where, f"{name}.{kind}")
    return places.below(where, f"{name}.{kind}")


def _asked(arguments: list[str]) -> argparse.Namespace:
    """The flags; --help leaves with 0. Raises InputError for what is not understood."""
    figures = "\n".join(f"  {name:22}{entry.about}" for name, entry in FIGURES.items())
    parser = script.Parser(
        prog="python -m analysis.plots",
        usage="python -m analysis.plots RESULTS/sweeps/NAME [flags]",
        description=str(__doc__).partition("\n")[0],
        epilog=f"figures:\n{figures}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="FOLDER", help="a sweep's folder, or a whole results folder; a path or a URI")
    parser.add_argument("--figure", nargs="+", metavar="NAME", default=list(FIGURES), help="only these; all that fit")
    parser.add_argument("--format", default="png", metavar="|".join(FORMATS), help="png of 150 dots an inch, or svg")
    parser.add_argument("--out", default="", metavar="DIR", help="where to write; FOLDER/plots")
    asked = parser.parse_args(arguments)
    for name in asked.figure:
        require_known("--figure", name, FIGURES)
    require_known("--format", asked.format, FORMATS)
    return asked


def main(arguments: list[str]) -> int:
    """Prints where the figures are; 2 and one line on stderr where that cannot be done."""

    def work() -> str:
        asked = _asked(arguments)
        return plots(asked.folder, asked.figure, asked.format, asked.out)

    return script.printed(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
