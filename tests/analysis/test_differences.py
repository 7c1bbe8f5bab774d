"""Differences to the baseline: known answers, Dunnett's published limits, and what does not fit the model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hand_made import baseline, cell, run, runs_frame
from scipy import integrate, stats

from analysis.stats.blocked import critical, fit
from analysis.stats.cells import cells
from analysis.stats.differences import COLUMNS, differences


def grid(values: dict[float, list[float]], base: list[float], **fields: object) -> pd.DataFrame:
    """Runs of kd at every T of ``values`` and of the baseline, one a seed."""
    rows = [baseline(value, value, seed=s, **fields) for s, value in enumerate(base)]
    for t, column in values.items():
        rows += [run(value, value, seed=s, temperature=t, **fields) for s, value in enumerate(column)]
    return runs_frame(rows)


def test_two_cells_by_hand() -> None:
    """Balanced, so the residuals are the values less their cell's and their seed's mean; 2 x 2 of them are free."""
    table = differences(grid({1.0: [0.62, 0.64, 0.66], 4.0: [0.70, 0.71, 0.75]}, [0.60, 0.62, 0.64]))
    one, four = cell(table, temperature=1.0), cell(table, temperature=4.0)
    assert (one["difference"], four["difference"]) == pytest.approx((0.02, 0.10))
    values = np.array([[0.62, 0.64, 0.66], [0.70, 0.71, 0.75], [0.60, 0.62, 0.64]])
    residual = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    sd = ((residual**2).sum() / 4) ** 0.5
    half = stats.t.isf(0.025, 4) * sd * (2 / 3) ** 0.5
    assert one["residual_sd"] == pytest.approx(sd)
    assert (one["df"], one["comparisons"], bool(one["pooled"])) == (4, 2, True)
    assert (one["low"], one["high"]) == pytest.approx((0.02 - half, 0.02 + half))
    assert four["p"] == pytest.approx(2 * stats.t.sf(0.10 / (sd * (2 / 3) ** 0.5), 4))


def test_baselines_have_no_difference_and_the_rows_are_those_of_cells() -> None:
    runs = grid({1.0: [0.62, 0.65], 4.0: [0.7, 0.71]}, [0.6, 0.62])
    table = differences(runs)
    pd.testing.assert_frame_equal(table[[*cells(runs)]], cells(runs))
    assert cell(table, method="none")[[*COLUMNS]].isna().all()


def dunnett(limit: float, many: int, freedom: int) -> float:
    """P(all |t_i| <= limit), correlations 1/2, by quadrature: Dunnett 1955, equation for equal group sizes."""

    def given(z: float, s: float) -> float:
        inside = stats.norm.cdf(2**0.5 * limit * s + z) - stats.norm.cdf(-(2**0.5) * limit * s + z)
        return float(inside**many * stats.norm.pdf(z))

    def density(s: float) -> float:
        return float(stats.chi.pdf(s * freedom**0.5, freedom) * freedom**0.5)

    found, _ = integrate.dblquad(lambda z, s: given(z, s) * density(s), 0.2, 2.5, -6, 6, epsabs=1e-5)
    return found


@pytest.mark.parametrize(("many", "freedom", "published"), [(1, 10, 2.23), (3, 10, 2.76), (5, 20, 2.73), (9, 20, 2.95)])
def test_limits_are_dunnetts(many: int, freedom: int, published: float) -> None:
    """Two-sided 5 % points of Dunnett (1964), table II; and the level itself, by quadrature."""
    limit = critical(np.full((many, many), 0.5) + 0.5 * np.eye(many), freedom, 0.95)
    assert limit == pytest.approx(published, abs=0.015)
    assert dunnett(limit, many, freedom) == pytest.approx(0.95, abs=0.002)


def test_simultaneous_intervals_hold_dunnetts_limit() -> None:
    table = differences(grid({1.0: [0.62, 0.65, 0.6], 4.0: [0.7, 0.71, 0.7], 9.0: [0.5, 0.56, 0.57]}, [0.6, 0.6, 0.62]))
    one = cell(table, temperature=1.0)
    wider = (one["family_high"] - one["difference"]) / (one["high"] - one["difference"])
    limit = critical(np.full((3, 3), 0.5) + 0.5 * np.eye(3), 6, 0.95)
    assert wider == pytest.approx(limit / stats.t.isf(0.025, 6), rel=1e-6)
    assert one["p_family"] > one["p"]


def test_missing_runs_are_no_zeros() -> None:
    """Without one run the additive model still answers, as statsmodels' OLS on the same dummies would."""
    rows = [baseline(0.60, 0.6, seed=0), baseline(0.63, 0.6, seed=1), baseline(0.61, 0.6, seed=2)]
    rows += [run(0.65, 0.6, seed=0), run(0.67, 0.6, seed=1), run(status="failed", seed=2)]
    rows += [run(0.66, 0.6, seed=s, temperature=9.0) for s in (0, 2)] + [run(0.70, 0.6, seed=1, temperature=9.0)]
    table = differences(runs_frame(rows))
    ones = ["00", "01", "02", "10", "11", "20", "22", "21"]  # (cell, seed) of the rows above; the first of each is 1
    design = np.array([[1, c == "1", c == "2", s == "1", s == "2"] for c, s in ones], dtype=float)
    y = np.array([0.60, 0.63, 0.61, 0.65, 0.67, 0.66, 0.66, 0.70])
    solved, squares, *_ = np.linalg.lstsq(design, y, rcond=None)
    four = cell(table, temperature=4.0)
    assert four["difference"] == pytest.approx(solved[1])
    assert (four["df"], four["residual_sd"]) == (3, pytest.approx((squares[0] / 3) ** 0.5))
    error = (squares[0] / 3 * np.linalg.inv(design.T @ design)[1, 1]) ** 0.5
    assert four["high"] - four["difference"] == pytest.approx(stats.t.isf(0.025, 3) * error)


def test_one_seed_gives_a_difference_and_no_interval() -> None:
    table = differences(grid({1.0: [0.62], 4.0: [0.7]}, [0.6]))
    one = cell(table, temperature=1.0)
    assert one["difference"] == pytest.approx(0.02)
    assert one[["low", "high", "family_low", "family_high", "p", "p_family", "residual_sd"]].isna().all()


def test_no_baseline_gives_nothing() -> None:
    table = differences(runs_frame([run(0.62, seed=0), run(0.64, seed=1)]))
    assert table[[*COLUMNS]].isna().all().all()


def test_no_seed_in_common_gives_nothing() -> None:
    table = differences(runs_frame([baseline(0.6, seed=0), baseline(0.61, seed=1), run(0.7, seed=2), run(0.7, seed=3)]))
    assert pd.isna(cell(table, method="kd")["difference"])


def test_a_cell_whose_seeds_diverge_stands_alone_and_leaves_the_others_sharp() -> None:
    rng = np.random.default_rng(1)
    calm = {float(t): list(0.7 + 0.001 * rng.normal(size=4)) for t in range(1, 8)}
    wild = {9.0: [0.2, 0.7, 0.1, 0.5]}
    table = differences(grid({**calm, **wild}, list(0.69 + 0.001 * rng.normal(size=4))))
    alone, others = cell(table, temperature=9.0), table[table["pooled"].fillna(False)]
    assert not alone["pooled"]
    assert (alone["df"], alone["comparisons"]) == (3, 8)
    assert len(others) == 7
    assert others["residual_sd"].max() < 0.002
    assert (others["family_low"] > 0).all()
    assert alone["family_low"] < alone["low"] < alone["difference"] < -0.1 < alone["high"] < alone["family_high"]


def test_several_wild_cells_do_not_hide_one_another() -> None:
    """Three of seven diverge now and then: one variance for all would blur the calm and flatter the wild."""
    rng = np.random.default_rng(2)
    calm = {float(t): list(0.62 + 0.002 * rng.normal(size=5)) for t in (1, 2, 3)}
    wild = {float(t): list(0.62 + 0.05 * rng.normal(size=5)) for t in (8, 9, 10)}
    table = differences(grid({**calm, **wild}, list(0.6 + 0.002 * rng.normal(size=5)))).query("not is_baseline")
    assert table["pooled"].tolist() == [True, True, True, False, False, False]
    widths = (table["high"] - table["low"]).tolist()
    assert max(widths[:3]) < 0.01 < 0.05 < min(widths[3:])
    assert (table["family_low"][:3] > 0).all()


def test_where_there_is_no_usual_spread_all_cells_stand_on_their_own() -> None:
    rng = np.random.default_rng(2)
    spreads = {1.0: 0.002, 2.0: 0.002, 8.0: 0.05, 9.0: 0.05, 10.0: 0.05, 11.0: 0.05, 12.0: 0.05}
    values = {t: list(0.62 + sd * rng.normal(size=5)) for t, sd in spreads.items()}
    table = differences(grid(values, list(0.6 + 0.002 * rng.normal(size=5)))).query("not is_baseline")
    assert not table["pooled"].any()
    assert set(table["df"]) == {4}


def test_a_baseline_that_diverges_does_not_crown_every_cell() -> None:
    """One of its seeds collapses: without a gain, twenty settings would all be 'better beyond luck'."""
    rng = np.random.default_rng(0)
    values = {float(t): list(0.75 + 0.002 * rng.normal(size=3)) for t in range(1, 21)}
    table = differences(grid(values, [0.75, 0.751, 0.60]))
    assert not (table["family_low"] > 0).any()
    assert not table["pooled"].dropna().any()


def test_two_equal_accuracies_are_no_proof_of_a_small_spread() -> None:
    """On a small test set seeds tie: such a cell must not make all the others stand on two seeds each."""
    table = differences(grid({1.0: [0.62, 0.62], 2.0: [0.61, 0.63], 4.0: [0.64, 0.65]}, [0.6, 0.6]))
    assert table["pooled"].dropna().all()


def test_budgets_and_controls_are_families_of_their_own() -> None:
    rows = [*grid({1.0: [0.6, 0.61], 4.0: [0.7, 0.72]}, [0.5, 0.52]).to_dict("records")]
    rows += grid({1.0: [0.6, 0.61]}, [0.5, 0.55], epochs=60).to_dict("records")
    rows += grid({1.0: [0.4, 0.43]}, [0.5, 0.52], control="shuffled-teacher").to_dict("records")[2:]
    for index, row in enumerate(rows):
        row["spec_id"] = f"run{index}"
    table = differences(runs_frame(rows))
    sizes = table[~table["is_baseline"]].set_index(["epochs", "control", "temperature"])["comparisons"]
    assert sizes.to_dict() == {(30, "none", 1.0): 2, (30, "none", 4.0): 2, (60, "none", 1.0): 1,
                               (30, "shuffled-teacher", 1.0): 1}  # fmt: skip


def test_controls_change_nothing_of_what_they_control() -> None:
    real = grid({1.0: [0.6, 0.61, 0.63], 4.0: [0.7, 0.72, 0.7]}, [0.5, 0.52, 0.5]).to_dict("records")
    shuffled = [{**row, "spec_id": f"c{i}", "control": "shuffled-teacher", "test_accuracy_last": 0.1 * (i % 3)}
                for i, row in enumerate(real[3:])]  # fmt: skip
    alone = differences(runs_frame(real))
    beside = differences(runs_frame([*real, *shuffled]))
    kept = beside[beside["control"].fillna("none") == "none"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept[[*COLUMNS]], alone[[*COLUMNS]])


def test_recipes_share_a_residual_and_a_family() -> None:
    """Two learning rates, a baseline each: one pool, twice the degrees of freedom, no correlation between them."""
    rows = [*grid({1.0: [0.60, 0.63]}, [0.5, 0.52], lr=0.1).to_dict("records")]
    rows += grid({1.0: [0.70, 0.69]}, [0.6, 0.61], lr=0.2).to_dict("records")
    for index, row in enumerate(rows):
        row["spec_id"] = f"run{index}"
    distilled = differences(runs_frame(rows)).query("not is_baseline")
    assert distilled["df"].tolist() == [2, 2]
    assert distilled["comparisons"].tolist() == [2, 2]
    assert distilled["difference"].tolist() == pytest.approx([0.105, 0.09])


def test_leaving_a_cell_out_is_foreseen_without_leaving_it_out() -> None:
    """The formula for deletion against deletion itself, with runs missing."""
    rng = np.random.default_rng(0)
    cell_of, seed = np.repeat(np.arange(5), 4), np.tile(np.arange(4), 5)
    kept = rng.permutation(20)[:17]
    cell_of, seed, value = cell_of[kept], seed[kept], rng.normal(size=17)
    whole = fit(cell_of, seed, value)
    for c in range(5):
        rest = cell_of != c
        without = fit(np.unique(cell_of[rest], return_inverse=True)[1], seed[rest], value[rest])
        assert whole.own_squares[c] == pytest.approx(whole.squares - without.squares)
        assert whole.own_freedom[c] == whole.freedom - without.freedom
