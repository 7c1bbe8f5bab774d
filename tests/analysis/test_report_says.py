"""What the report says of controls, of cells that share no spread, and how far its figures reach."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hand_made import baseline, epochs_frame, run, runs_frame

from analysis.page.figures.forest import forest
from analysis.page.figures.learning import learning
from analysis.page.figures.seeds import seeds
from analysis.page.parts import Grid, Text
from analysis.page.sections.statistics import statistics
from analysis.page.sections.troubles import controls
from analysis.page.sweep import Sweep, of
from analysis.page.wording import hours

WILD = {1.0: 0.001, 2.0: 0.002, 4.0: 0.03, 8.0: 0.035, 16.0: 0.03}  # temperature -> spread of its seeds
LUCK = (-1.0, 0.7, -0.4, 1.2, -0.5)
FLAT = epochs_frame([])


def rows() -> list[dict[str, Any]]:
    """Cells whose spreads differ, a baseline, and a control that knows nothing."""
    found = [baseline(0.8 + 0.001 * LUCK[-1 - seed], 0.8, seed=seed) for seed in range(5)]
    for place, (temperature, spread) in enumerate(WILD.items()):
        for seed in range(5):
            test = 0.81 + spread * LUCK[(seed + place) % 5]
            found.append(run(test, 0.82 - 0.01 * place, seed=seed, temperature=temperature, test_accuracy_best=test))
    return found


def control(test: float = 0.3) -> list[dict[str, Any]]:
    same = {"temperature": 1.0, "control": "shuffled-teacher", "test_accuracy_best": test + 0.1}
    return [run(test + 0.001 * LUCK[seed], 0.3, seed=seed, **same) for seed in range(5)]


def sweep(rows: list[dict[str, Any]], epochs: pd.DataFrame = FLAT) -> Sweep:
    return of("hand-made", {}, runs_frame(rows), epochs, [])


def words(parts: list[Any]) -> str:
    """Texts, captions and tables."""
    grids = [word for part in parts if isinstance(part, Grid) for row in part.rows for word in [part.caption, *row]]
    return " ".join([*(part.text for part in parts if isinstance(part, Text)), *grids])


def test_seeds_needed_is_known_where_each_cell_has_a_spread_of_its_own() -> None:
    found = sweep(rows())
    tried = found.table[~found.table["is_baseline"]]
    assert not tried["pooled"].any()
    said = words(statistics(found).parts)
    assert f"{100 * tried['residual_sd'].median():.2f} points (median of the cells, whose spreads differ from" in said
    assert "How many seeds a difference needs is not known" not in said


def test_where_all_stand_alone_one_sentence_says_so_and_no_row_is_marked() -> None:
    plot = forest(sweep(rows()))
    assert plot is not None
    assert "The cells' spreads differ, so each stands on its own seeds." in plot.caption
    assert plot.data is not None
    assert "†" not in plot.caption + " ".join(row[0] for row in plot.data.rows)
    assert "family of their own" not in plot.caption


@pytest.mark.parametrize("draw", [forest, seeds])
def test_a_control_squeezes_no_other_cell_and_stands_at_the_edge(draw: Any) -> None:
    alone, beside = draw(sweep(rows())), draw(sweep(rows() + control()))
    found = beside.charts[0].figure
    assert tuple(found.layout.xaxis.range) == pytest.approx(alone.charts[0].figure.layout.xaxis.range)
    assert any("triangle-left" in (trace.marker.symbol or ()) for trace in found.data)
    assert any("30.0" in text or "-50." in text for trace in found.data for text in trace.text or ())
    assert f"Arrow: {'5 runs' if draw is seeds else '1 cell'} beyond the picture" in beside.caption
    assert "Arrow" not in alone.caption


def test_controls_are_compared_with_the_real_teacher_and_left_out_of_inflation() -> None:
    found = sweep(rows() + control())
    (comparison, *_) = [part for part in controls(found).parts if isinstance(part, Grid)]
    ((name, mean, interval, n),) = comparison.rows
    assert (mean, n) == ("+51.00", "5")
    assert interval.startswith("[+5")
    assert "control" in name
    assert "lies above 0 in 1 of 1 setting" in words(controls(found).parts)
    said = words(statistics(found).parts)
    assert "Controls are left out." in said
    assert "nothing to inflate" in said  # the control alone had a better epoch


def test_few_learning_curves_are_named_and_the_epochs_have_equal_steps() -> None:
    runs = rows() + control() + [run(0.7, 0.7, seed=seed, temperature=32.0) for seed in range(5)]
    last = [{"spec_id": f"run{i}", "epoch": e, "test_accuracy": 0.5} for i in range(len(runs)) for e in range(1, 31)]
    plot = learning(sweep(runs, epochs_frame(last)))
    assert plot is not None
    legend = [trace.name for trace in plot.charts[0].figure.data if trace.showlegend is not False]
    assert legend == ["1 other cell", "baseline", "★ T 1", "T 2", "T 4", "T 8", "worst: T 32"]
    assert "Controls are left out." in plot.caption
    assert plot.data is not None
    assert plot.data.header[1:] == [f"epoch {epoch}" for epoch in range(3, 31, 3)]


@pytest.mark.parametrize(("seconds", "said"), [(34, "34 s"), (300, "5 min"), (359, "6 min"), (3600, "1.00 h")])
def test_short_times_are_told_in_minutes_or_seconds(seconds: float, said: str) -> None:
    assert hours(seconds) == said
