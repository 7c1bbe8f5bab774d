"""What 95 % means, by simulation: a thousand sweeps whose truth is known, through the code that a user runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hand_made import baseline, run, runs_frame

from analysis.stats.cells import cells
from analysis.stats.differences import compared

CELLS, SWEEPS = 20, 1000


def simulated(seeds: int, effect: float, sweeps: int) -> pd.DataFrame:
    """One row a sweep of 20 cells and a baseline: what was called, and the share of intervals that hold the truth.

    The noise of a run has sd 1, a seed's effect on all cells too; ``effect`` is what every cell gains.
    """
    rows = [baseline(0.5, 0.5, seed=s) for s in range(seeds)]
    rows += [run(0.5, 0.5, seed=s, temperature=float(t)) for t in range(1, CELLS + 1) for s in range(seeds)]
    table = cells(runs_frame(rows))
    rng, found = np.random.default_rng(20261120), []
    for _ in range(sweeps):
        values = rng.normal(size=(len(table), seeds)) + rng.normal(size=seeds)
        values[~table["is_baseline"].to_numpy()] += effect
        table["by_seed"] = [dict(enumerate(row)) for row in values]
        tried = compared(table).query("not is_baseline")
        better, worse = tried["family_low"] > 0, tried["family_high"] < 0
        held = (tried["low"] <= effect) & (effect <= tried["high"])
        together = (tried["family_low"] <= effect) & (effect <= tried["family_high"])
        found.append(((better | worse).any(), better.any(), held.mean(), together.all()))
    return pd.DataFrame(found, columns=["called", "winner", "held", "together"]).astype(float)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [5, 3])
def test_no_effect_is_called_one_about_as_often_as_said(seeds: int) -> None:
    """5 % and its sampling error over 1,000 sweeps; and not so seldom that nothing would ever be found.

    A little under 5 %, since one sweep in twenty is taken for one whose baseline spreads more than its cells.
    """
    called = simulated(seeds, 0.0, SWEEPS).mean()
    assert 0.025 <= called["called"] <= 0.064
    assert 0.01 <= called["winner"] <= 0.064
    assert 0.936 <= called["together"] <= 0.975


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [5, 3])
def test_intervals_hold_an_effect_of_one_standard_deviation(seeds: int) -> None:
    found = simulated(seeds, 1.0, SWEEPS).mean()
    assert 0.93 <= found["held"] <= 0.97
    assert 0.93 <= found["together"] <= 0.97
    assert found["winner"] > 0.2  # and the test has power


def test_a_few_sweeps_hold_too() -> None:
    """The same, small enough for every day: far outside of these lies only a broken interval."""
    found = simulated(3, 0.0, 60)
    assert found["called"].mean() <= 0.15
    assert 0.90 <= found["held"].mean() <= 0.99
