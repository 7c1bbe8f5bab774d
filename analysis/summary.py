"""A sweep's finishing step: table.md and heatmap.png from its runs.

``python -m analysis.summary RESULTS/sweeps/NAME``
"""

from __future__ import annotations

import sys

from analysis import frames
from analysis.plots import heatmap, save
from analysis.tables import grid_table
from kd_trainable.vocabulary import InputError


def summarise(folder: str) -> str:
    """Writes ``table.md`` and ``heatmap.png`` into a sweep's folder (a path or a URI) and returns the table.

    Where no run has finished the table says so, and a picture of an earlier time is removed. Raises InputError
    where ``runs.parquet`` cannot be read.
    """
    runs = frames.runs(folder)
    text = grid_table(runs)
    frames.write(folder, "table.md", text.encode())
    if runs.loc[runs["status"] == "finished", "test_accuracy_last"].notna().any():
        save(heatmap(runs), folder)
    else:
        frames.remove(folder, "heatmap.png")
    return text


def main(arguments: list[str]) -> int:
    """Prints the table of the sweep's folder; 2 and one line on stderr where that cannot be done."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m analysis.summary RESULTS/sweeps/NAME", file=sys.stderr)
        return 2
    try:
        print(summarise(arguments[0]), end="")
    except (InputError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
