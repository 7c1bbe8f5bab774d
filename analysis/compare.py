"""Published numbers beside ours: compare.md, compare.csv and compare.png in the folder whose runs are compared.

``python analysis/compare.py RESULTS`` (or RESULTS/sweeps/NAME); ``python -m analysis.compare`` does the same.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import pandas as pd

from analysis import frames, script
from analysis.places import below, name_of
from analysis.plots.paper import save
from analysis.plots.published import scatter
from analysis.published.literature import POSITIVE, fits, matched, names, published, training
from analysis.published.words import report
from analysis.stats.cells import cells, is_control
from analysis.stats.weights import changed
from analysis.strangers import for_spreadsheet
from analysis.tables.grid import ABSENT, percent, word
from analysis.tables.tricks import OFF

ABOUT = """Sets published numbers beside the runs of a folder that have the same student, data set, method and teacher.
Writes compare.md, compare.csv and, where anything fits, compare.png into the folder; a URI will do."""
FILES = ("compare.md", "compare.csv", "compare.png")
METRICS = {"best": "test_accuracy_best", "last": "test_accuracy_last"}
OURS = ("ours", "ours_half_width", "ours_n", "ours_seeds", "ours_epoch", "difference", "differs", "others")
PLAIN = {**OFF, "precision": "float32"}  # what a row that says nothing is taken to mean
SAID = 3  # other cells of ours that fit, in words
DTYPES = ("Float64", "Float64", "Int64", "string", "string", "Float64", "string", "string")
CellsOf = Callable[[str, int | None], pd.DataFrame]


class Ours(NamedTuple):
    """Our answer to a published row: the cell that is shown, what differs in its training, and what else would fit."""

    cell: Any
    differs: list[str]
    others: list[str]


def compare(folder: str) -> str:
    """Writes the three files into a results folder, or a sweep's, and returns compare.md.

    Of a results folder all published tables are shown, of a sweep's those that it has a run for, and its namesake.
    Where nothing of ours fits there is no picture. Raises InputError where there are no runs, or they cannot be read.
    """
    return report(_written(folder))


def _written(folder: str) -> dict[str, pd.DataFrame]:
    """Writes the files; the tables that they hold."""
    where = frames.sweeps(folder)
    cells_of = _finished(frames.runs(folder))
    tables = {name: _compared(name, cells_of) for name in names()}
    if where == [below(folder)]:
        stem = name_of(where[0])
        tables = {name: table for name, table in tables.items() if name == stem or table["ours"].notna().any()}
    frames.write(folder, "compare.md", report(tables).encode())
    frames.write(folder, "compare.csv", _csv(tables))
    figure = scatter(tables)
    if figure is None:
        frames.remove(folder, "compare.png")
    else:
        save(figure, folder, "compare.png")
    return tables


def _told(folder: str) -> str:
    """Of what is written the tables with something of ours, the names of the others, and where all of it lies."""
    tables = _written(folder)
    told = {name: table for name, table in tables.items() if table["ours"].notna().any()}
    rest = [name for name in names() if name not in told]
    many = "1 collection has" if len(rest) == 1 else f"{len(rest)} collections have"
    line = f"\n{many} nothing of yours: {', '.join(rest)}\n" if rest else ""
    return report(told) + line + script.written(folder, FILES)


def compared(name: str, runs: pd.DataFrame) -> pd.DataFrame:
    """A published table with the columns of ``OURS`` beside it; missing where no finished run of ours fits.

    ours, ours_half_width, ours_n, ours_seeds: mean over our seeds, half its 95 % interval (t), their number, and they
    ours_epoch: best (by test, as theirs) or last; last where the source does not say
    difference: ours less theirs; differs: what differs in the training, '; ' between
    others: budgets and recipes of ours that fit too, and are in no mean
    """
    return _compared(name, _finished(runs))


def _compared(name: str, cells_of: CellsOf) -> pd.DataFrame:
    table = published(name)
    keys, recipe = matched(table), training(table)
    beside = pd.DataFrame([_beside(row, keys, recipe, cells_of) for _, row in table.iterrows()], columns=OURS)
    return table.join(beside.astype(dict(zip(OURS, DTYPES, strict=True))))


def _beside(row: pd.Series, keys: list[str], recipe: list[str], cells_of: CellsOf) -> dict[str, Any]:
    epoch = "best" if row["epoch"] == "best" else "last"
    seed = int(row["seed"]) if "seed" in keys and pd.notna(row["seed"]) else None
    ours = _ours(row, [name for name in keys if name != "seed"], recipe, cells_of(METRICS[epoch], seed))
    if ours is None:
        return dict.fromkeys(OURS)
    cell = ours.cell
    return {
        "ours": cell.mean,
        "ours_half_width": cell.half_width,
        "ours_n": cell.n,
        "ours_seeds": cell.seeds,
        "ours_epoch": epoch,
        "difference": None if pd.isna(row["value"]) else cell.mean - row["value"],
        "differs": "; ".join(ours.differs),
        "others": "; ".join(ours.others),
    }


def _ours(row: pd.Series, keys: list[str], recipe: list[str], table: pd.DataFrame) -> Ours | None:
    """Their very recipe if we have it, else the longest of our budgets; of several the nearest, then the most seeds."""
    named = [fits(table[name], row[name]).astype(bool) for name in keys if pd.notna(row[name])]
    fit = pd.concat(named, axis=1).all(axis=1) if named else pd.Series(True, table.index)
    if not fit.any():
        return None
    fitting: list[Any] = list(table[fit].itertuples(index=False))
    apart = {id(cell): _differs(row, keys, recipe, cell) for cell in fitting}
    first, *rest = sorted(
        fitting, key=lambda cell: (bool(apart[id(cell)]), -cell.epochs, len(apart[id(cell)]), -cell.n)
    )
    others = [_other(cell, [word for word in apart[id(cell)] if word not in apart[id(first)]]) for cell in rest[:SAID]]
    return Ours(first, apart[id(first)], others + [f"{len(rest) - SAID} more"] * (len(rest) > SAID))


def _differs(row: pd.Series, keys: list[str], recipe: list[str], cell: Any) -> list[str]:
    """'5 epochs (theirs 300)', 'protocol holdout (theirs published)', 'mixup 0.2': in what a cell is not the row's."""
    known = [name for name in recipe if pd.notna(row[name]) and not _same(getattr(cell, name), row[name])]
    words = [_apart(name, word(getattr(cell, name)), row[name]) for name in known]
    words += [
        f"{name} {word(getattr(cell, name))}" for name in keys if row[name] is not pd.NA and row[name] == POSITIVE
    ]
    ours = {name: word(getattr(cell, name)) for name in PLAIN if name not in [*keys, *recipe]}
    words += [f"{name} {text}" for name, text in ours.items() if text not in (ABSENT, PLAIN[name])]
    return words + [f"hyperparameters {text}" for text in [changed(cell)] if text]


def _apart(name: str, ours: str, theirs: str) -> str:
    return f"{ours} epochs (theirs {theirs})" if name == "epochs" else f"{name} {ours} (theirs {theirs})"


def _other(cell: Any, apart: list[str]) -> str:
    budget = f"{cell.epochs} epochs, {cell.protocol}"
    words = [text for text in apart if "epochs (theirs" not in text and not text.startswith("protocol")]
    return f"{', '.join([budget, *words])}: {percent(cell.mean)} (n={cell.n})"


def _same(ours: Any, theirs: str) -> bool:
    return bool(pd.notna(ours) and fits(pd.Series([ours]).convert_dtypes(), theirs).iloc[0])


def _finished(runs: pd.DataFrame) -> CellsOf:
    """Our cells with a finished run, controls left out, by metric and seed (None: over all of them)."""
    runs = runs[~is_control(runs)]

    @cache
    def cells_of(metric: str, seed: int | None) -> pd.DataFrame:
        of = runs if seed is None else runs[runs["seed"] == seed]
        if of.empty and len(runs):
            return cells_of(metric, None).head(0)
        return cells(of, metric).query("n > 0")

    return cells_of


def _csv(tables: dict[str, pd.DataFrame]) -> bytes:
    content = io.StringIO()
    frames_of = [table.assign(table=name) for name, table in tables.items()]
    whole = pd.concat(frames_of, ignore_index=True) if frames_of else pd.DataFrame(columns=["table", *OURS])
    whole.insert(0, "table", whole.pop("table"))
    for_spreadsheet(whole).to_csv(content, index=False, lineterminator="\n")
    return content.getvalue().encode()


def main(arguments: list[str]) -> int:
    """Prints of compare.md what has a number of ours; 2 and one line on stderr where that cannot be done."""
    return script.run(_told, "python analysis/compare.py RESULTS, or RESULTS/sweeps/NAME", ABOUT, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
