"""Whose weights are taken home: the best cell's best seed, by held-out accuracy, of each group that is compared."""

from __future__ import annotations

from typing import Any

import hand_made
import pandas as pd
import pytest

from analysis.stats.winner import winners


def found(*rows: dict[str, Any]) -> pd.DataFrame:
    return winners(hand_made.runs_frame([{"spec_id": f"r{index}", **row} for index, row in enumerate(rows)]))


def cell(temperature: float, *validations: float, **fields: Any) -> list[dict[str, Any]]:
    return [
        hand_made.run(0.5, validation, temperature=temperature, seed=seed, **fields)
        for seed, validation in enumerate(validations)
    ]


def test_of_the_best_cell_by_its_mean_the_best_seed() -> None:
    """The single best run, 0.90, is of a cell that is worse."""
    (row,) = found(*cell(1, 0.90, 0.60), *cell(4, 0.79, 0.81)).to_dict("records")
    assert (row["spec_id"], row["seed"], row["score"], row["n"]) == ("r3", 1, 0.81, 2)
    assert row["mean"] == pytest.approx(0.80)


def test_the_test_accuracy_chooses_nothing() -> None:
    rows = [hand_made.run(0.9, 0.7, temperature=1), hand_made.run(0.1, 0.8, temperature=4)]
    assert found(*rows)["spec_id"].tolist() == ["r1"]
    seeds = [hand_made.run(0.9, 0.7, seed=0), hand_made.run(0.1, 0.8, seed=1)]
    assert found(*seeds)["spec_id"].tolist() == ["r1"]


def test_where_nothing_is_held_out_it_does() -> None:
    rows = [hand_made.run(test, None, protocol="published", seed=seed) for seed, test in enumerate((0.7, 0.9, 0.8))]
    (row,) = found(*rows).to_dict("records")
    assert (row["spec_id"], row["score"]) == ("r1", 0.9)


def test_of_equal_seeds_the_lowest() -> None:
    assert found(*cell(4, 0.8, 0.8))["seed"].tolist() == [0]


def test_one_for_each_group_that_is_compared() -> None:
    rows = [*cell(4, 0.8), *cell(4, 0.7, student="resnet20"), *cell(4, 0.6, epochs=90), *cell(1, 0.5)]
    assert sorted(found(*rows)["spec_id"]) == ["r0", "r1", "r2"]


def test_baselines_and_controls_are_none_and_what_is_not_finished() -> None:
    rows = [
        hand_made.baseline(0.9, 0.95),
        hand_made.run(0.9, 0.94, control="uniform-teacher"),
        hand_made.run(None, None, temperature=8.0, status="failed"),
        hand_made.run(0.5, 0.6),
    ]
    (row,) = found(*rows).to_dict("records")
    assert row["spec_id"] == "r3"
    assert row["lead"] == pytest.approx(0.6 - 0.95)
    assert found(*rows[:3]).empty


def test_ties_are_told() -> None:
    assert found(*cell(1, 0.8), *cell(4, 0.8), *cell(8, 0.7))["tied"].tolist() == [1]
