"""The tables a person asks for: what is marked and by what, and that only runs of one budget share a table."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hand_made import baseline, cell, run, runs_frame

from analysis import tables
from analysis.stats.differences import differences
from analysis.tables import Table

MAKERS = (
    tables.alpha_temperature,
    tables.methods_by_network,
    tables.seeds,
    tables.differences_table,
    tables.variance_table,
)
NONE: dict[str, Any] = {"mode": None, "temperature": None, "alpha": None, "convention": None}


def pair(make: Any, test: float, validation: float, off: float = 0.005, **fields: Any) -> list[dict[str, Any]]:
    """Seeds 0 and 1, half a point to either side of ``test``."""
    return [make(test + offset, validation, seed=seed, **fields) for seed, offset in enumerate((-off, off))]


def grid(**fields: Any) -> list[dict[str, Any]]:
    """Alpha 0.1, 0.5, 0.9 x T 1, 2 with validation falling where test rises, and a baseline."""
    rows = pair(baseline, 0.60, 0.60, **fields)
    for i, alpha in enumerate((0.1, 0.5, 0.9)):
        for j, temperature in enumerate((1.0, 2.0)):
            step = (3 * j + i) / 100
            off = 0.004 + 0.001 * i  # a residual: seeds do not do the same to all cells
            rows += pair(run, 0.70 + step, 0.80 - step, off, alpha=alpha, temperature=temperature, **fields)
    return rows


def words(table: Table) -> list[list[str]]:
    return [[entry.words for entry in row] for row in table.rows]


def marks(table: Table) -> list[list[str]]:
    return [[entry.marks for entry in row[1:]] for row in table.rows]


def test_rows_and_columns_are_marked_by_validation_never_by_test() -> None:
    (table,) = tables.alpha_temperature(runs_frame(grid()))
    assert table.columns == ("", "T=1", "T=2")
    assert marks(table) == [["★", "↑"], ["→", ""], ["→", ""]]
    assert words(table)[0] == ["α=0.1", "★ 70.00 ± 0.57 (+10.00 ± 0.14)", "↑ 73.00 ± 0.57 (+13.00 ± 0.14)"]
    assert "★ is selected by validation accuracy" in " ".join(table.notes)
    marked = table.data.set_index(["alpha", "temperature"])
    assert list(marked.index[marked["best_of_row"]]) == [(0.1, 1.0), (0.5, 1.0), (0.9, 1.0)]
    assert list(marked.index[marked["best_of_column"]]) == [(0.1, 1.0), (0.1, 2.0)]


def test_under_published_the_test_set_marks_and_that_is_said() -> None:
    (table,) = tables.alpha_temperature(runs_frame(grid(protocol="published")))
    assert marks(table) == [["", "→"], ["", "→"], ["↑", "★"]]
    assert "★ IS SELECTED ON THE TEST SET" in " ".join(table.notes)


def test_only_what_competes_is_marked() -> None:
    rows = [row for row in grid() if not (row.get("alpha") == 0.5 and row["temperature"] == 2.0)]
    rows = [{**row, "status": "failed"} if row.get("alpha") == 0.1 and row["seed"] == 1 else row for row in rows]
    (table,) = tables.alpha_temperature(runs_frame(rows))
    assert marks(table) == [["", ""], ["★", ""], ["→", ""]]  # of T=2 one alone is left to compete
    shuffled = tables.alpha_temperature(runs_frame([*grid(), *grid(control="shuffled-teacher")]))
    assert [{mark for row in marks(table) for mark in row} - {""} for table in shuffled] == [{"★", "↑", "→"}, set()]


def test_those_that_tie_are_all_marked_and_nothing_is_where_all_do() -> None:
    scores = {(0.1, 1.0): 0.8, (0.1, 2.0): 0.7, (0.5, 1.0): 0.6, (0.5, 2.0): 0.7, (0.9, 1.0): 0.5, (0.9, 2.0): 0.5}
    rows = [run(0.7, score, alpha=alpha, temperature=temperature) for (alpha, temperature), score in scores.items()]
    (table,) = tables.alpha_temperature(runs_frame(rows))
    assert marks(table) == [["★", "↑"], ["", "↑→"], ["", ""]]


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize(("field", "value"), [("epochs", 60), ("protocol", "published"), ("dataset", "cifar100")])
def test_runs_of_two_budgets_share_no_table(maker: Any, field: str, value: Any) -> None:
    found = maker(runs_frame([*grid(), *grid(**{field: value})]))
    assert len(found) == 2
    for table in found:
        assert table.rows
        assert field in table.title
        assert all(table.data[name].nunique() == 1 for name in ("dataset", "student", "epochs", "protocol"))


def test_a_flat_list_of_cells_is_divided_too() -> None:
    rows = [run(0.7, 0.7, student=student, lr=lr) for student in ("resnet8", "resnet20") for lr in (0.1, 0.2)]
    text = tables.grid_table(runs_frame(rows))
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "### student resnet20",
        "### student resnet8",
    ]
    assert text.count("| best |") == 2


def test_each_seed_has_a_column() -> None:
    rows = [*pair(baseline, 0.6, 0.6), *pair(run, 0.7, 0.7), run(0.71, 0.7, seed=2), run(0.9, 0.9, alpha=0.9, seed=1)]
    rows.append(run(status="failed", alpha=0.9, seed=2))
    (table,) = tables.seeds(runs_frame(rows))
    assert table.columns[2:] == (
        "seed 0",
        "seed 1",
        "seed 2",
        "mean",
        "sd",
        "n",
        "95 % ±",
        "validation",
        "without result",
    )
    assert words(table) == [
        ["baseline", "–", "59.50", "60.50", "–", "60.00", "0.71", "2", "6.35", "60.00", ""],
        ["best", "0.5", "69.50", "70.50", "71.00", "★ 70.33", "0.76", "3", "1.90", "70.00", ""],
        ["", "0.9", "–", "90.00", "–", "90.00", "–", "1", "–", "–", "1 failed"],
    ]
    third = table.data[table.data["alpha"] == 0.5]
    assert list(third["seed"]) == [0, 1, 2]
    assert list(third["value"]) == [0.695, 0.705, 0.71]


def test_differences_are_those_of_the_statistics() -> None:
    runs = runs_frame(grid())
    (table,) = tables.differences_table(runs)
    assert table.columns[1:3] == ("temperature", "alpha")
    known = cell(differences(runs), alpha=0.1, temperature=1.0)
    low, high, family_low, family_high = (
        f"{100 * known[name]:+.2f}" for name in ("low", "high", "family_low", "family_high")
    )
    first = ["best", "1", "0.1", "70.00 ± 0.57", "★ +10.00", f"{low} to {high}", f"{family_low} to {family_high}"]
    assert words(table)[0] == [*first, "<0.001", "2"]
    assert "over all 6 cells at once" in " ".join(table.notes)
    assert "Baseline, not distilled: validation 60.00, test 60.00 ± 0.71 (n=2, seeds 0, 1)." in table.notes
    assert list(table.data["family_low"]) == sorted(table.data["family_low"])  # best by validation is worst by test


def test_one_seed_has_a_difference_but_no_interval() -> None:
    (table,) = tables.differences_table(runs_frame([baseline(0.6, 0.6), run(0.7, 0.7), run(0.72, 0.6, alpha=0.9)]))
    assert [row[-6:] for row in words(table)] == [
        ["70.00 (n=1)", "★ +10.00", "–", "–", "–", "1"],
        ["72.00 (n=1)", "+12.00", "–", "–", "–", "1"],
    ]
    assert "No intervals: they need two seeds" in " ".join(table.notes)


def test_controls_come_last_and_are_a_family_of_their_own() -> None:
    rows = [*grid(), *pair(run, 0.55, 0.9, control="shuffled-teacher", alpha=0.1)]
    (table,) = tables.differences_table(runs_frame(rows))
    assert [row[0] for row in words(table)] == ["best", *[""] * 5, "control"]
    assert "negative controls by themselves" in " ".join(table.notes)


def test_a_cell_that_spreads_otherwise_is_pointed_out() -> None:
    rows = [*grid(), run(0.5, 0.5, alpha=1.0, seed=0), run(0.9, 0.5, alpha=1.0, seed=1)]
    (table,) = tables.differences_table(runs_frame(rows))
    apart = next(row for row in words(table) if any("†" in word for word in row))
    assert apart[1:5] == ["4", "1", "70.00 ± 28.28", "† +10.00"]
    assert any(note.startswith("†") for note in table.notes)


def test_where_all_stand_alone_one_note_says_it() -> None:
    spreads = {0.1: (0.001, -0.001, 0.0), 0.5: (0.1, -0.1, 0.0), 0.9: (0.0, 0.002, -0.002)}
    rows = [baseline(0.6 + off, 0.6, seed=seed) for seed, off in enumerate((0.01, -0.02, 0.02))]
    rows += [
        run(0.7 + off, 0.7, alpha=alpha, seed=seed) for alpha, of in spreads.items() for seed, off in enumerate(of)
    ]
    (table,) = tables.differences_table(runs_frame(rows))
    assert table.data["pooled"].dropna().eq(False).all()
    assert not any("†" in word for row in words(table) for word in row)
    assert "each difference stands on the paired differences of its own seeds" in " ".join(table.notes)


def test_the_caption_says_what_may_be_held_against_the_best() -> None:
    rows = [*pair(baseline, 0.6, 0.9), *pair(run, 0.7, 0.8, alpha=0.1), *pair(run, 0.7, 0.8, alpha=0.5)]
    for (table,) in (make(runs_frame(rows)) for make in (tables.differences_table, tables.methods_by_network)):
        said = "★: tied with 1 other; no distilled cell beats the baseline by validation."
        assert said in table.notes


def test_shares_of_variance() -> None:
    (table,) = tables.variance_table(runs_frame(grid()))
    assert {"temperature", "alpha"} < {row[0] for row in words(table)}
    assert sum(float(row[1]) for row in words(table)) == pytest.approx(100, abs=0.5)
    assert table.data["share"].sum() == pytest.approx(1)
    assert "between 12 distilled runs" in table.notes[0]


def test_students_and_teachers_are_columns() -> None:
    rows = [*pair(baseline, 0.6, 0.6), *pair(run, 0.65, 0.6, method="dml", teacher=None, **NONE)]
    for teacher, score in (("resnet18", 0.7), ("resnet56", 0.8)):
        rows += pair(run, 0.7, score, teacher=teacher)
        rows += pair(run, 0.71, score - 0.05, method="at", teacher=teacher, **NONE)
    (table,) = tables.methods_by_network(runs_frame(rows))
    assert table.columns == ("", "method", "hyperparameters", "teacher resnet18", "teacher resnet56")
    by_method = {row[1]: row[3:] for row in words(table)}
    assert by_method["none"] == ["60.00 ± 0.71"] * 2
    assert [word.split(" (")[0] for word in by_method["kd"]] == ["↑ 70.00 ± 0.71", "★ 70.00 ± 0.71"]
    assert by_method["dml"] == ["65.00 ± 0.71 (+5.00 ± 0.00)"] * 2
    assert "stands under each" in " ".join(table.notes)
    both = tables.methods_by_network(runs_frame([*rows, *({**row, "student": "conv5x5"} for row in rows)]))
    assert both[0].columns[3:5] == ("conv5x5 (teacher resnet18)", "conv5x5 (teacher resnet56)")


def test_the_numbers_are_tidy_and_complete() -> None:
    for maker in (tables.alpha_temperature, tables.methods_by_network, tables.differences_table):
        (table,) = maker(runs_frame(grid()))
        row = cell(table.data, alpha=0.9, temperature=2.0)
        assert (row["n"], round(row["mean"], 9), row["metric"]) == (2, 0.75, "test_accuracy_last")
        assert row["half_width"] == pytest.approx(12.7062 * 0.006)  # t(0.975, 1); sd / sqrt(2) is half the range
        assert isinstance(table.data, pd.DataFrame)
        assert len(table.data.columns) == len(set(table.data.columns))
