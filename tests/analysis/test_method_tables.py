"""Sweeps over methods and students: a line for each, and no confusion over fields that some methods lack."""

from __future__ import annotations

from typing import Any

import pytest
from hand_made import baseline, cell, run, runs_frame
from matplotlib.axes import Axes

from analysis.plots.dots import dots
from analysis.stats.cells import BLOCK, DISTILLATION, Gain, cells, half_width, paired
from analysis.tables.grid import varying
from analysis.tables.overview import grid_table

NONE: dict[str, Any] = {"mode": None, "temperature": None, "alpha": None, "convention": None}


def own(test: float, validation: float = 0.8, **fields: Any) -> dict[str, Any]:
    """A run of a method that has neither mode, T, alpha nor convention."""
    return run(test, validation, **{"method": "at", "taps": "[]", **NONE, **fields})


def mutual(test: float, validation: float = 0.8, **fields: Any) -> dict[str, Any]:
    """A run of mutual learning, which has no teacher either."""
    return own(test, validation, **{"method": "dml", "teacher": None, "control": None, **fields})


def sweep(**fields: Any) -> list[dict[str, Any]]:
    """The baseline, kd, at and dml, two seeds each; the best by validation is not that by test."""
    made = [(baseline, 0.80, 0.80), (run, 0.82, 0.84), (own, 0.90, 0.83), (mutual, 0.70, 0.75)]
    return [
        make(test + seed / 100, validation, seed=seed, **fields) for make, test, validation in made for seed in (0, 1)
    ]


def table_rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|--")]
    return [[word.strip() for word in line.strip("|").split(" | ")] for line in lines]


def words(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def test_taps_and_peer_belong_to_distillation() -> None:
    assert {"taps", "peer"} <= set(DISTILLATION)
    assert not {"taps", "peer"} & set(BLOCK)
    rows = [baseline(0.8, taps="[]"), own(0.9, taps='["stage1:stage2"]'), mutual(0.85, peer="resnet20")]
    table = cells(runs_frame(rows))
    assert cell(table, method="at")["gain"] == pytest.approx(0.1)
    assert cell(table, method="dml")["gain"] == pytest.approx(0.05)


def test_what_a_method_lacks_is_no_difference() -> None:
    assert varying(cells(runs_frame(sweep()))) == ["method"]
    more = [*sweep(), run(0.8, temperature=8.0)]
    assert varying(cells(runs_frame(more))) == ["method", "temperature"]
    without = [*sweep(), run(0.8, mode="logit_mse", temperature=None)]
    assert varying(cells(runs_frame(without))) == ["method", "mode", "temperature"]


def test_a_line_for_each_method_under_the_baseline() -> None:
    text = grid_table(runs_frame(sweep()))
    assert table_rows(text) == [
        ["", "method", "hyperparameters", "test accuracy", "validation", "gain over the baseline", "n"],
        ["baseline", "none", "–", "80.50 ± 0.71", "80.00", "–", "2"],
        ["best", "kd", "–", "**★ 82.50 ± 0.71**", "84.00", "+2.00 ± 0.00", "2"],
        ["", "at", "weight 1000", "90.50 ± 0.71", "83.00", "+10.00 ± 0.00", "2"],
        ["", "dml", "weight 1", "70.50 ± 0.71", "75.00", "-10.00 ± 0.00", "2"],
    ]
    assert "- ★ Best by validation: method kd: validation 84.00" in text
    assert "precision float32; kd's: convention hinton, mode kl, alpha 0.5, temperature 4." in text


def test_every_method_shows_its_weight_and_what_else_is_no_default() -> None:
    rows = [own(0.8, 0.8, method="rkd"), own(0.8, 0.8, method="rkd", hyperparameters='{"rkd.angle": 5.0}')]
    rows += [run(0.8, 0.8, method="kd+at", hyperparameters='{"at.p": 2.0, "at.weight": 500.0}'), run(0.8, 0.8)]
    shown = {(row[1], row[2]) for row in table_rows(grid_table(runs_frame(rows)))[1:]}
    swept = {("rkd", "weight 1 angle 50"), ("rkd", "weight 1 angle 5")}
    assert shown == {*swept, ("kd+at", "at.weight 500"), ("kd", "–")}


def test_weights_of_different_methods_are_no_sweep_of_one() -> None:
    weights = {"at": '{"at.p": 2.0, "at.weight": 1000.0}', "sp": '{"sp.weight": 3000.0}'}
    rows = [own(0.8, method=method, hyperparameters=text) for method, text in weights.items()]
    assert varying(cells(runs_frame(rows))) == ["method"]
    again = own(0.8, method="kd+at", hyperparameters='{"at.p": 2.0, "at.weight": 500.0}')
    assert varying(cells(runs_frame([*rows, again]))) == ["method", "hyperparameters"]


def test_tables_with_and_without_the_defaults_name_one_cell() -> None:
    texts = ("{}", '{"at.weight": 1000.0}', '{"at.p": 2.0, "at.weight": 1000.0}')
    rows = [own(0.8, hyperparameters=text, seed=seed) for seed, text in enumerate(texts)]
    assert list(cells(runs_frame(rows))["n"]) == [3]
    own_method = [own(0.8, method="nets:mine", hyperparameters=text) for text in ("{}", '{"power": 3.0}')]
    assert varying(cells(runs_frame(own_method))) == ["hyperparameters"]


def test_hyperparameters_and_taps_are_shown_where_they_vary() -> None:
    rows = [*sweep(hyperparameters="{}"), own(0.8, hyperparameters='{"at.weight": 500.0, "at.p": 1.0}')]
    table = table_rows(grid_table(runs_frame(rows)))
    assert table[0][:3] == ["", "method", "hyperparameters"]
    assert ["", "at", "weight 500 p 1"] in [row[:3] for row in table]
    assert ["", "at", "weight 1000 p 2"] in [row[:3] for row in table]
    rows = [*sweep(), own(0.8, taps='["stage1:stage2", "at=stage3:stage3"]')]
    assert "stage1:stage2 at=stage3:stage3" in grid_table(runs_frame(rows))


def test_students_are_columns() -> None:
    rows = [*sweep(), *(row for row in sweep(student="conv5x5") if row.get("method") != "dml")]
    assert table_rows(grid_table(runs_frame(rows))) == [
        ["", "method", "hyperparameters", "conv5x5", "resnet8"],
        ["baseline", "none", "–", "80.50 ± 0.71", "80.50 ± 0.71"],
        ["", "kd", "–", "**★ 82.50 ± 0.71 (+2.00 ± 0.00)**", "**★ 82.50 ± 0.71 (+2.00 ± 0.00)**"],
        ["", "at", "weight 1000", "90.50 ± 0.71 (+10.00 ± 0.00)", "90.50 ± 0.71 (+10.00 ± 0.00)"],
        ["", "dml", "weight 1", "–", "70.50 ± 0.71 (-10.00 ± 0.00)"],
    ]


def test_under_the_published_protocol_there_is_no_column_of_validation() -> None:
    rows = [{**row, "protocol": "published", "validation_accuracy_last": None} for row in sweep()]
    header = table_rows(grid_table(runs_frame(rows)))[0]
    assert header[2:] == ["hyperparameters", "test accuracy", "gain over the baseline", "n"]


def test_a_method_whose_runs_failed_says_so() -> None:
    rows = [*sweep(), own(0.1, method="sp", status="failed", error="loss is NaN")]
    assert ["", "sp", "weight 3000", "1 failed", "–", "–", "0"] in table_rows(grid_table(runs_frame(rows)))


def test_a_grid_of_one_method_stays_a_grid_beside_the_others() -> None:
    rows = [*sweep(), *(run(0.8, alpha=alpha, temperature=t) for alpha in (0.1, 0.9) for t in (1.0, 2.0))]
    text = grid_table(runs_frame(rows))
    assert "### mode kl, method kd" in text
    assert ["", "T=1", "T=2", "T=4"] in table_rows(text)
    assert "method at" not in [line for line in text.splitlines() if line.startswith("#")]
    assert ["", "at", "weight 1000", "–", "–", "90.50 ± 0.71", "83.00", "+10.00 ± 0.00", "2"] in table_rows(text)


def test_a_gain_is_paired_by_seed() -> None:
    assert paired({0: 0.8, 1: 0.9, 2: 0.5}, {1: 0.7, 0: 0.7}) == Gain(
        pytest.approx(0.15), pytest.approx(0.1 / 2**0.5), 2
    )
    assert paired({0: 0.8}, {1: 0.7}) is None


def test_the_interval_is_students() -> None:
    assert half_width(0.3, 3) == pytest.approx(4.302653 * 0.3 / 3**0.5)  # t(0.975, df) of a printed table
    assert half_width(0.3, 11) == pytest.approx(2.228139 * 0.3 / 11**0.5)
    assert half_width(0.3, 1) != half_width(0.3, 1)


def test_what_the_seeds_alone_do_is_said_beside_what_the_settings_do() -> None:
    """Distilled cells alone: the baseline is no setting that was tried."""
    rows = [make(test + s, 0.8, seed=int(100 * s)) for make, test in ((baseline, 0.2), (own, 0.9)) for s in (0, 0.02)]
    rows += [run(0.85 + s, 0.8, seed=int(100 * s)) for s in (0, 0.02)]
    assert "Seeds against" not in grid_table(runs_frame(rows))  # two cells are no spread
    rows += [run(0.80 + s, 0.8, seed=int(100 * s), method="rkd") for s in (0, 0.02)]
    line = "- Seeds against settings: sd 1.41 points over the seeds of a cell (of 3 distilled cells); 5.00 between the"
    assert f"{line} cells' means.\n" in grid_table(runs_frame(rows))
    collapsed = [own(0.1, seed=0, method="sp"), own(0.1, seed=2, method="sp")]
    assert "(of 3 distilled cells, without 1 far off); 5.00 between" in grid_table(runs_frame(rows + collapsed))


def test_the_picture_has_a_line_a_method_and_the_baselines_band() -> None:
    rows = [*sweep(), *(own(0.78, 0.81, method="sp", seed=seed) for seed in (0, 1))]
    (ax,) = dots(runs_frame(rows)).axes
    assert words(ax) == ["baseline", "kd", "at", "sp", "dml"]
    assert ax.get_xlabel() == "test accuracy, last epoch (%)"
    band = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    assert (band.x0, band.x1) == pytest.approx((80.0, 81.0))
    means = {tuple(line.get_xydata()[0]) for line in ax.lines if len(line.get_xydata()) == 1}
    assert {(round(x, 6), y) for x, y in means} == {(80.5, 0), (82.5, 1), (90.5, 2), (78.0, 3), (70.5, 4)}
    assert [text.get_text() for text in ax.texts] == ["★"]


def test_a_diverged_method_is_a_number_at_the_edge() -> None:
    rows = [*sweep(), own(0.1, method="sp"), *(own(0.81 + i / 100, method=m) for i, m in enumerate(("l2", "pkt")))]
    (ax,) = dots(runs_frame(rows)).axes
    assert ax.get_xlim()[0] > 60
    assert "◂ 10.00" in [text.get_text() for text in ax.texts]


def test_intervals_are_drawn_from_three_seeds_on() -> None:
    figure = dots(runs_frame(sweep()))
    assert "interval" not in figure.get_supxlabel()
    rows = [make(0.8 + s / 100, 0.8, seed=s) for make in (baseline, run, own) for s in range(3)]
    figure = dots(runs_frame(rows))
    bars = [line.get_xdata() for line in figure.axes[0].lines if line.get_linewidth() == 1.4]
    assert bars[0] == pytest.approx([81 - 4.302653 / 3**0.5, 81 + 4.302653 / 3**0.5])
    assert "95 % interval" in figure.get_supxlabel().replace("\n", " ")


def test_students_have_panels_of_their_own() -> None:
    first, second = dots(runs_frame([*sweep(), *sweep(student="conv5x5")[:4]])).axes
    assert (first.get_title(), second.get_title()) == ("student conv5x5", "student resnet8")
    assert words(first) == ["baseline", "kd", "at", "dml"]


def test_neither_methods_nor_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="neither methods, students nor tricks"):
        dots(runs_frame([run(0.8), run(0.8, temperature=2.0)]))
    with pytest.raises(ValueError, match="no run has finished"):
        dots(runs_frame([own(0.1, status="failed")]))
