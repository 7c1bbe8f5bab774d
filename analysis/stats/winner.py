"""Which run's weights to take home: of the best cell of each group its best seed. DataFrame -> DataFrame, no I/O."""

from __future__ import annotations

import pandas as pd

from analysis.stats.cells import COMPARABLE, cells, placed


def winners(runs: pd.DataFrame) -> pd.DataFrame:
    """One row for each data set, student, budget and protocol that has a best cell (``cells``: ``best``).

    spec_id, seed, score: the cell's run with the highest ``score``, of equal ones the lowest seed. The score is the
      validation accuracy after the last epoch, after which the weights were kept; under protocol published, which
      holds nothing out, the test accuracy, and so biased
    mean, n: of that score over the runs of the cell
    lead: mean less that of the cell's undistilled baseline; missing without one
    tied: how many other cells have the very same mean
    """
    table = cells(runs)
    best = table.loc[table["best"], [*COMPARABLE, "n", "selected_by", "lead", "tied"]]
    own = placed(runs)
    own = own[own["cell"].isin(best.index) & own["status"].eq("finished").fillna(False)]
    published = own["protocol"].eq("published").fillna(False)
    own["score"] = own["test_accuracy_last"].where(published, own["validation_accuracy_last"])
    first = own.sort_values(["score", "seed"], ascending=[False, True], kind="stable").drop_duplicates("cell")
    found = best.rename(columns={"selected_by": "mean"}).join(first.set_index("cell")[["spec_id", "seed", "score"]])
    return found.reset_index(drop=True)
