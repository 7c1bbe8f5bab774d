"""Runs -> curves: a cell's accuracy over its epochs, and over the temperature. DataFrame -> DataFrame, no I/O."""

from __future__ import annotations

import pandas as pd

from analysis.stats.cells import KEY, cells, half_widths, placed


def learning_curves(runs: pd.DataFrame, epochs: pd.DataFrame, column: str = "test_accuracy") -> pd.DataFrame:
    """One row a cell and epoch, sorted: what ``column`` of the epochs was, over the seeds of the cell.

    cell: position in ``cells(runs)``; epoch: from 1
    mean, half_width, n: over the finished runs, half of the 95 % interval of the mean (t; missing for n = 1)
    lowest, highest: of the seeds

    A mean has the same members along the whole curve: only finished runs, and only epochs that every one of them has.
    So a run that failed, or was stopped by a scheduler, is in none of it, and where runs ended by their own patience
    the curve ends where the first of them did. A cell without a finished run has no rows.
    """
    finished = placed(runs)
    finished = finished[(finished["status"] == "finished").fillna(False)]
    values = epochs[["spec_id", "epoch", column]].dropna().drop_duplicates(["spec_id", "epoch"], keep="last")
    values = values.merge(finished[["spec_id", "cell"]], on="spec_id")
    members = values.groupby("cell")["spec_id"].nunique()
    values[column] = values[column].astype("float64")
    curves = values.groupby(["cell", "epoch"])[column].agg(["mean", "std", "count", "min", "max"]).reset_index()
    curves = curves[curves["count"] == curves["cell"].map(members)].reset_index(drop=True)
    curves["half_width"] = half_widths(curves["std"], curves["count"]).astype("float64")
    curves = curves.rename(columns={"count": "n", "min": "lowest", "max": "highest"})
    curves = curves.astype({"cell": "Int64", "epoch": "Int64", "n": "Int64"})
    return curves[["cell", "epoch", "mean", "half_width", "n", "lowest", "highest"]]


def temperature_curves(runs: pd.DataFrame, metric: str = "test_accuracy_last") -> pd.DataFrame:
    """One row a distilled cell that has a temperature and a finished run, sorted by curve and temperature.

    cell: position in ``cells(runs, metric)``; curve: cells that differ in nothing but the temperature, from 0
    temperature, mean, half_width, n: of the cell, the half width that of the 95 % interval of the mean (t)

    What has no temperature (logit_mse, most methods, a schedule in its place) is in no curve.
    """
    table = cells(runs, metric)
    table = table[~table["is_baseline"] & table["temperature"].notna() & (table["n"] > 0)]
    same = [name for name in KEY if name != "temperature"]
    curve = table.groupby(same, dropna=False).ngroup() if len(table) else pd.Series(dtype="int64")
    found = pd.DataFrame(
        {
            "cell": pd.Series(table.index, table.index, dtype="Int64"),
            "curve": curve.astype("Int64"),
            "temperature": table["temperature"],
            "mean": table["mean"].astype("float64"),
            "half_width": table["half_width"].astype("float64"),
            "n": table["n"].astype("Int64"),
        }
    )
    return found.sort_values(["curve", "temperature"], ignore_index=True)
