"""Statistics on hand-made tables with known answers."""

from __future__ import annotations

import pandas as pd
import pytest
from hand_made import baseline, cell, run, runs_frame

from analysis.stats.cells import cells, placed
from analysis.tables.grid import varying


def test_mean_and_sample_sd_over_seeds() -> None:
    row = cells(runs_frame([run(0.80, seed=0), run(0.82, seed=1), run(0.84, seed=2)])).iloc[0]
    assert (row["mean"], row["sd"], row["n"], row["seeds"]) == (pytest.approx(0.82), pytest.approx(0.02), 3, "0, 1, 2")


def test_the_interval_of_a_mean_is_students() -> None:
    rows = [run(0.80 + seed / 50, alpha=0.1, seed=seed) for seed in range(3)]
    rows += [run(0.80 + seed % 2 / 50, alpha=0.5, seed=seed) for seed in range(10)]
    table = cells(runs_frame([*rows, run(0.8, alpha=0.9)]))
    # t(0.975, 2) and t(0.975, 9) of a printed table
    assert cell(table, alpha=0.1)["half_width"] == pytest.approx(4.302653 * 0.02 / 3**0.5)
    assert cell(table, alpha=0.5)["half_width"] == pytest.approx(2.262157 * 0.01 * (10 / 9) ** 0.5 / 10**0.5)
    assert cell(table, alpha=0.9)["half_width"] is pd.NA


def test_a_run_is_placed_in_its_cell() -> None:
    tests = [0.9, 0.7, 0.8, 0.6]
    fields = [{}, {"temperature": None, "mode": "logit_mse"}, {"alpha": 0.1}, {"nesterov": None, "optimizer": "adam"}]
    runs = runs_frame([run(test, **of) for test, of in zip(tests, fields, strict=True)] + [baseline(0.5)])
    table = cells(runs)
    found = placed(runs)
    assert table.loc[found["cell"], "mean"].tolist() == found["test_accuracy_last"].tolist() == [*tests, 0.5]


def test_one_seed_has_no_spread() -> None:
    row = cells(runs_frame([baseline(0.80), run(0.82)])).pipe(cell, is_baseline=False)
    assert row["n"] == 1
    assert row["sd"] is pd.NA
    assert row["gain"] == pytest.approx(0.02)
    assert row["gain_sd"] is pd.NA


@pytest.mark.parametrize(
    ("status", "count"),
    [("failed", "n_failed"), ("stopped", "n_stopped"), ("lost", "n_unfinished"), ("unfinished", "n_unfinished")],
)
def test_only_finished_runs_are_averaged_and_the_others_counted(status: str, count: str) -> None:
    rows = [run(0.80, 0.8, seed=0), run(0.10, 0.1, seed=1, status=status, epochs_run=3)]
    row = cells(runs_frame(rows)).iloc[0]
    assert (row["mean"], row["n"], row[count]) == (pytest.approx(0.80), 1, 1)
    assert row["n_failed"] + row["n_stopped"] + row["n_unfinished"] == 1


def test_a_run_that_its_own_patience_ended_is_finished() -> None:
    rows = [run(0.80, seed=0, patience=5, epochs_run=12), run(0.84, seed=1, patience=5)]
    row = cells(runs_frame(rows)).iloc[0]
    assert (row["mean"], row["n"], row["n_stopped"]) == (pytest.approx(0.82), 2, 0)


def test_budgets_are_never_mixed() -> None:
    table = cells(runs_frame([run(0.80, epochs=30), run(0.90, epochs=60, seed=1)]))
    assert table["mean"].tolist() == [0.80, 0.90]


def test_gain_is_paired_by_seed() -> None:
    rows = [
        baseline(0.70, seed=0),
        baseline(0.90, seed=1),
        baseline(0.50, seed=9),
        run(0.71, seed=0),
        run(0.93, seed=1),
        run(0.99, seed=2),
    ]
    row = cell(cells(runs_frame(rows)), is_baseline=False)
    assert (row["n"], row["gain_n"]) == (3, 2)
    assert row["gain"] == pytest.approx(0.02)  # of 0.01 and 0.03; the unpaired difference would be 0.177
    assert row["gain_sd"] == pytest.approx(0.02 / 2**0.5)


def test_gain_is_over_the_baseline_trained_alike() -> None:
    rows = [baseline(0.60, lr=0.01), baseline(0.80, lr=0.1), run(0.65, lr=0.01), run(0.81, lr=0.1), run(0.7, lr=1.0)]
    table = cells(runs_frame(rows))
    gains = {lr: cell(table, is_baseline=False, lr=lr)["gain"] for lr in (0.01, 0.1, 1.0)}
    assert gains[0.01] == pytest.approx(0.05)
    assert gains[0.1] == pytest.approx(0.01)
    assert gains[1.0] is pd.NA


def test_a_failed_baseline_pairs_with_nothing() -> None:
    row = cell(cells(runs_frame([baseline(0.1, status="failed"), run(0.8)])), is_baseline=False)
    assert row["gain"] is pd.NA
    assert row["gain_n"] == 0


def test_defaults_left_in_a_baselines_row_do_not_split_it() -> None:
    rows = [baseline(0.7, seed=0, temperature=4.0, mode="kl"), baseline(0.8, seed=1, temperature=1.0)]
    row = cells(runs_frame(rows)).iloc[0]
    assert (row["n"], row["mean"], row["temperature"]) == (2, pytest.approx(0.75), pd.NA)


def test_cells_without_a_temperature_are_kept() -> None:
    rows = [
        run(0.7, mode="logit_mse", temperature=None, seed=0),
        run(0.8, mode="logit_mse", temperature=None, seed=1),
        run(0.9, temperature=None, temperature_schedule="[[0, 8], [10, 1]]"),
    ]
    table = cells(runs_frame(rows))
    assert cell(table, mode="logit_mse")["n"] == 2
    assert cell(table, temperature_schedule="[[0, 8], [10, 1]]")["mean"] == 0.9


def test_validation_selects_not_test() -> None:
    table = cells(runs_frame([run(0.90, 0.80, alpha=0.1), run(0.85, 0.88, alpha=0.9)]))
    assert cell(table, best=True)["alpha"] == 0.9
    assert cell(table, best=True)["selected_by"] == 0.88


def test_under_the_published_protocol_the_test_set_selects() -> None:
    rows = [run(0.90, None, alpha=0.1, protocol="published"), run(0.85, None, alpha=0.9, protocol="published")]
    best = cell(cells(runs_frame(rows)), best=True)
    assert (best["alpha"], best["selected_by"]) == (0.1, 0.90)


def test_a_cell_with_a_failed_seed_does_not_compete() -> None:
    rows = [
        run(0.99, 0.99, alpha=0.1, seed=0),
        run(alpha=0.1, seed=1, status="failed"),
        run(0.8, 0.8, alpha=0.5, seed=0),
        run(0.8, 0.8, alpha=0.5, seed=1),
    ]
    assert cell(cells(runs_frame(rows)), best=True)["alpha"] == 0.5


def test_a_cell_that_has_only_begun_its_seeds_does_not_compete() -> None:
    rows = [run(0.8, 0.8 - alpha / 100, alpha=alpha, seed=seed) for alpha in (0.1, 0.5) for seed in (0, 1, 2)]
    rows.append(run(0.99, 0.99, alpha=0.9, seed=0))
    assert cell(cells(runs_frame(rows)), best=True)["alpha"] == 0.1


def test_a_cell_that_is_a_seed_ahead_does_not_win_unopposed() -> None:
    rows = [run(0.8, alpha, alpha=alpha, seed=seed) for alpha in (0.1, 0.5, 0.9) for seed in (0, 1)]
    rows.append(run(0.8, 0.1, alpha=0.1, seed=2))
    assert cell(cells(runs_frame(rows)), best=True)["alpha"] == 0.9


def test_baselines_and_negative_controls_are_never_the_best() -> None:
    rows = [baseline(0.99, 0.99), run(0.98, 0.98, control="shuffled-teacher"), run(0.8, 0.8)]
    best = cell(cells(runs_frame(rows)), best=True)
    assert (best["method"], best["control"]) == ("kd", "none")


def test_each_student_has_its_own_best() -> None:
    table = cells(runs_frame([run(0.8, 0.8, student=student) for student in ("resnet8", "resnet20")]))
    assert table["best"].tolist() == [True, True]


def test_a_run_without_its_accuracy_is_not_averaged_and_its_cell_does_not_compete() -> None:
    rows = [run(0.9, 0.9, alpha=0.1), run(float("nan"), float("nan"), alpha=0.1, seed=1), run(0.8, 0.8, alpha=0.5)]
    table = cells(runs_frame([*rows, run(0.8, 0.8, alpha=0.5, seed=1)]))
    assert cell(table, alpha=0.1)["n"] == 1
    assert cell(table, best=True)["alpha"] == 0.5


def test_a_run_counts_once_though_two_sweeps_list_it() -> None:
    frame = runs_frame([run(0.8, seed=0), run(0.9, seed=1)])
    assert cells(pd.concat([frame, frame], ignore_index=True)).iloc[0]["n"] == 2


def test_no_runs_give_no_cells() -> None:
    assert cells(runs_frame([])).empty


def test_the_runs_are_left_as_they_were() -> None:
    frame = runs_frame([baseline(0.8, mode="kl"), run(0.9)])
    before = frame.copy()
    cells(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_a_field_that_one_optimizer_lacks_tells_cells_apart_and_pairs_them_with_their_baseline() -> None:
    adam = {"optimizer": "adam", "momentum": None, "nesterov": None}
    rows = [
        made(test, seed=s, **of) for of in ({}, adam) for s in (0, 1) for made, test in ((baseline, 0.8), (run, 0.9))
    ]
    table = cells(runs_frame(rows))
    assert list(table["n"]) == [2, 2, 2, 2]
    assert sorted(table["gain_n"]) == [0, 0, 2, 2]
    assert varying(table) == ["optimizer"]
    more = [*rows, run(0.9, momentum=0.5)]
    assert varying(cells(runs_frame(more))) == ["optimizer", "momentum"]


def test_each_cell_leads_the_baseline_of_its_own_recipe() -> None:
    """Three recipes whose order by name is not that in which they were run: no lead is taken against another's."""
    rows = []
    for lr, plain, distilled in ((0.3, 0.60, 0.61), (0.1, 0.70, 0.72), (0.2, 0.50, 0.45)):
        rows += [run(distilled, distilled, lr=lr), baseline(plain, plain, lr=lr)]
    table = cells(runs_frame(rows))
    leads = table[~table["is_baseline"]].set_index("lr")["lead"]
    assert leads.to_dict() == pytest.approx({0.1: 0.02, 0.2: -0.05, 0.3: 0.01})


def test_a_cell_without_a_test_accuracy_is_never_the_best() -> None:
    table = cells(runs_frame([run(float("nan"), 0.9, temperature=1.0), run(0.6, 0.6, temperature=4.0)]))
    assert table.loc[table["best"], "temperature"].tolist() == [4.0]
