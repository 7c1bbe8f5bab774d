"""Sweeps over the training recipe: each trick alone and under distillation, over the plain recipe."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from hand_made import baseline, run, runs_frame
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis.plots.dots import dots
from analysis.plots.paper import save
from analysis.stats.cells import cells
from analysis.tables.overview import grid_table
from analysis.tables.tricks import sheets

PLAIN: dict[str, Any] = {
    "mixup": 0.0, "cutout": 0, "init": "default", "linear_scaling": False, "schedule": "step", "step_epochs": 45,
}  # fmt: skip
MIXUP, CUTOUT, SCALED = {"mixup": 0.2}, {"cutout": 8}, {"linear_scaling": True}
COSINE: dict[str, Any] = {"schedule": "cosine", "step_epochs": None}


def pair(trick: dict[str, Any], alone: float, distilled: float, **fields: Any) -> list[dict[str, Any]]:
    """A recipe without and with a teacher, seeds 0 and 1, the second a point higher."""
    recipe = {**PLAIN, **trick, **fields}
    made = [(baseline, alone), (run, distilled)]
    return [make(test + s / 100, test, seed=s, **recipe) for make, test in made for s in (0, 1)]


def sweep(**fields: Any) -> list[dict[str, Any]]:
    found = [({}, 0.80, 0.82), (MIXUP, 0.81, 0.85), (SCALED, 0.70, 0.78), (COSINE, 0.83, 0.81)]
    return [row for trick, alone, distilled in found for row in pair(trick, alone, distilled, **fields)]


def table_rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|--")]
    return [[word.strip() for word in line.strip("|").split(" | ")] for line in lines]


def test_each_trick_alone_and_under_distillation() -> None:
    text = grid_table(runs_frame(sweep()))
    assert table_rows(text) == [
        ["trick", "not distilled", "validation", "gain by trick", "distilled", "validation", "gain by trick",
         "gain by distillation"],
        ["plain recipe", "80.50 ± 0.71", "80.00", "–", "82.50 ± 0.71", "82.00", "–", "+2.00 ± 0.00"],
        ["mixup 0.2", "81.50 ± 0.71", "81.00", "+1.00 ± 0.00", "**★ 85.50 ± 0.71**", "85.00", "+3.00 ± 0.00",
         "+4.00 ± 0.00"],
        ["schedule cosine", "83.50 ± 0.71", "83.00", "+3.00 ± 0.00", "81.50 ± 0.71", "81.00", "-1.00 ± 0.00",
         "-2.00 ± 0.00"],
        ["linear_scaling", "70.50 ± 0.71", "70.00", "-10.00 ± 0.00", "78.50 ± 0.71", "78.00", "-4.00 ± 0.00",
         "+8.00 ± 0.00"],
    ]  # fmt: skip
    assert "Plain recipe: schedule step, step_epochs 45; off: mixup, linear_scaling." in text
    assert "- Baseline, not distilled (plain recipe): validation 80.00, test 80.50" in text
    assert text.count("- Baseline") == 1
    assert "- ★ Best by validation: mixup 0.2, distilled: validation 85.00" in text
    assert "mode kl, alpha 0.5, temperature 4." in text


def test_a_plain_recipe_that_only_lacks_tricks_has_no_empty_list() -> None:
    rows = [*pair({}, 0.8, 0.82), *pair(MIXUP, 0.81, 0.85), *pair(CUTOUT, 0.81, 0.85)]
    assert "\nPlain recipe: off: cutout, mixup.\n" in grid_table(runs_frame(rows))


def test_under_the_published_protocol_there_is_no_column_of_validation() -> None:
    rows = [{**row, "protocol": "published"} for row in sweep()]
    assert "validation" not in table_rows(grid_table(runs_frame(rows)))[0]


def test_a_gain_is_paired_by_seed_and_says_on_how_many() -> None:
    rows = [row for row in sweep() if not (row["mixup"] and row["seed"] and "method" in row)]
    line = next(row for row in table_rows(grid_table(runs_frame(rows))) if row[0] == "mixup 0.2")
    assert line[1:4] == ["81.00 (n=1)", "81.00", "+1.00"]  # over seed 0 alone; the unpaired difference would be 0.50
    assert line[7] == "+4.00 on 1 seed"


def test_two_values_are_a_trick_where_one_of_them_is_off() -> None:
    rows = [*pair({}, 0.8, 0.82), *pair(MIXUP, 0.81, 0.85)]
    assert [row[0] for row in table_rows(grid_table(runs_frame(rows)))] == ["trick", "plain recipe", "mixup 0.2"]
    rows = [*pair({}, 0.8, 0.8), *pair({"init": "xavier"}, 0.8, 0.8), *pair({"init": "kaiming"}, 0.8, 0.8)]
    assert table_rows(grid_table(runs_frame(rows)))[1][0] == "plain recipe"


@pytest.mark.parametrize("rates", [(0.1, 0.2), (0.1, 0.2, 0.3), tuple(i / 100 for i in range(1, 12))])
def test_learning_rates_are_no_tricks(rates: tuple[float, ...]) -> None:
    rows = [row for rate in rates for row in pair({}, 0.8, 0.8, lr=rate)]
    assert sheets(cells(runs_frame(rows))) == []
    assert table_rows(grid_table(runs_frame(rows)))[0][:2] == ["", "lr"]


def test_a_product_of_tricks_names_them_together() -> None:
    both = [({}, 0.8), (MIXUP, 0.81), (CUTOUT, 0.82), ({**MIXUP, **CUTOUT}, 0.83)]
    rows = [row for trick, test in both for row in pair(trick, test, test)]
    names = [row[0] for row in table_rows(grid_table(runs_frame(rows)))[1:]]
    assert names == ["plain recipe", "cutout 8, mixup 0.2", "cutout 8", "mixup 0.2"]


def test_students_have_tables_of_their_own() -> None:
    text = grid_table(runs_frame([*sweep(), *sweep(student="conv5x5")]))
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "### student conv5x5",
        "### student resnet8",
    ]
    assert text.count("- Baseline, not distilled (student ") == 2


def test_methods_are_columns_where_there_are_few() -> None:
    lacks = {"mode": None, "temperature": None, "alpha": None, "convention": None}
    other = [{**row, "method": "at", **lacks} for row in sweep() if "method" not in row]
    text = grid_table(runs_frame([*sweep(), *other]))
    assert table_rows(text)[0][4:] == [
        *("method at", "validation", "gain by trick", "gain by method at"),
        *("method kd", "validation", "gain by trick", "gain by method kd"),
    ]
    assert "; kd's: convention hinton, mode kl, alpha 0.5, temperature 4; at's: hyperparameters weight 1000." in text
    many = [{**row, "method": m} for m in ("at", "sp", "pkt") for row in other]
    assert table_rows(grid_table(runs_frame([*sweep(), *many])))[0][:2] == ["", "method"]


def test_a_trick_that_failed_says_so() -> None:
    rows = [{**row, "status": "failed"} if row["mixup"] else row for row in sweep()]
    lines = table_rows(grid_table(runs_frame(rows)))
    assert ["mixup 0.2", "2 failed", "–", "–", "2 failed", "–", "–", "–"] in lines


def test_tricks_without_a_plain_run_of_one_arm_show_no_gain() -> None:
    rows = [
        row
        for row in sweep()
        if row["mixup"] or row["linear_scaling"] or row["schedule"] == "cosine" or "method" in row
    ]
    line = next(row for row in table_rows(grid_table(runs_frame(rows))) if row[0] == "mixup 0.2")
    assert line == [
        *("mixup 0.2", "81.50 ± 0.71", "81.00", "+1.00 ± 0.00"),
        *("**★ 85.50 ± 0.71**", "85.00", "–", "+4.00 ± 0.00"),
    ]


def test_the_picture_has_both_arms_on_a_line_and_fits_its_paper(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = dots(runs_frame(sweep()))
        save(figure, tmp_path, "methods.png")
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "plain recipe", "mixup 0.2", "schedule cosine", "linear_scaling",
    ]  # fmt: skip
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["not distilled", "distilled"]
    plain = {
        round(line.get_xdata()[0], 6) for line in ax.lines if len(line.get_xdata()) == 1 and line.get_ydata()[0] < 0.5
    }
    assert plain == {80.5, 82.5}
    FigureCanvasAgg(figure).draw()
    for artist in [*figure.texts, ax.get_legend(), *ax.get_yticklabels()]:
        (left, bottom), (right, top) = artist.get_window_extent().get_points()
        assert min(left, bottom) >= 0, artist
        assert right <= figure.bbox.x1, artist
        assert top <= figure.bbox.y1, artist
