"""The table says what a person needs to believe it, and nothing that the runs do not bear out."""

from __future__ import annotations

from typing import Any

import pytest
from hand_made import baseline, cell, run, runs_frame

from analysis.stats.differences import differences
from analysis.tables.overview import grid_table


def seeds_of(make: Any, tests: list[float], validation: float = 0.8, **fields: Any) -> list[dict[str, Any]]:
    """One run a seed, with these test accuracies."""
    return [make(test, validation, seed=seed, **fields) for seed, test in enumerate(tests)]


def grid() -> list[dict[str, Any]]:
    """Alpha 0.1, 0.5 x T 1, 2.5 of mode kl, two seeds, with a baseline; the best by validation is not that by test."""
    return [
        *seeds_of(baseline, [0.80, 0.82]),
        *seeds_of(run, [0.81, 0.85], 0.85, alpha=0.1, temperature=1.0),
        *seeds_of(run, [0.90, 0.90], 0.84, alpha=0.1, temperature=2.5),
        *seeds_of(run, [0.80, 0.82], 0.83, alpha=0.5, temperature=1.0),
        *seeds_of(run, [0.79, 0.80], 0.82, alpha=0.5, temperature=2.5),
    ]


def table_rows(text: str) -> list[list[str]]:
    """The words of every line of a Markdown table, rules left out."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|--")]
    return [[word.strip() for word in line.strip("|").split(" | ")] for line in lines]


def test_the_grid() -> None:
    assert table_rows(grid_table(runs_frame(grid()))) == [
        ["", "T=1", "T=2.5"],
        ["α=0.1", "**★ 83.00 ± 2.83 (+2.00 ± 1.41)**", "↑ 90.00 ± 0.00 (+9.00 ± 1.41)"],
        ["α=0.5", "→ 81.00 ± 1.41 (+0.00 ± 0.00)", "79.50 ± 0.71 (-1.50 ± 0.71)"],
    ]


def test_what_stands_above_the_grid() -> None:
    text = grid_table(runs_frame(grid()))
    assert "- Baseline, not distilled: validation 80.00, test 81.00 ± 1.41 (n=2, seeds 0, 1)\n" in text
    best = cell(differences(runs_frame(grid())), alpha=0.1, temperature=1.0)
    interval = f"{100 * best['family_low']:+.2f} to {100 * best['family_high']:+.2f} for all 4 cells at once"
    assert (
        "- ★ Best by validation: mode kl, alpha 0.1, temperature 1: validation 85.00, "
        f"test 83.00 ± 2.83 (+2.00 over the baseline, 95 % interval {interval}; n=2, seeds 0, 1)\n" in text
    )
    assert "differences paired by seed; the second ± is their standard deviation." in text
    assert "selected by validation accuracy" in text
    assert "↑ is the best of its column and → the best of its row, likewise." in text
    assert "Seeds 0, 1; dataset cifar10, student resnet8, teacher resnet18" in text
    assert "epochs 30, protocol holdout" in text
    assert "TEST SET" not in text


def test_every_line_of_a_table_is_as_long_as_the_others() -> None:
    lines = [line for line in grid_table(runs_frame(grid())).splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1


def test_selection_on_the_test_set_is_called_biased() -> None:
    text = grid_table(runs_frame([{**row, "protocol": "published"} for row in grid()]))
    assert "IS SELECTED ON THE TEST SET, so its accuracy and gain are biased" in text
    assert "★ Best by test accuracy, so biased upwards: mode kl, alpha 0.1, temperature 2.5: test 90.00" in text
    assert "by validation" not in text


def test_one_seed_says_so_and_shows_no_spread() -> None:
    text = grid_table(runs_frame([baseline(0.80, 0.8), run(0.82, 0.8)]))
    assert table_rows(text) == [["", "T=4"], ["α=0.5", "**★ 82.00 (+2.00, n=1)**"]]
    assert "±" not in text
    assert "one seed a cell (n=1), so that no spread is known" in text
    assert "interval" not in text


def test_a_lone_comparison_has_an_interval_of_its_own() -> None:
    text = grid_table(runs_frame([*seeds_of(baseline, [0.80, 0.82, 0.83]), *seeds_of(run, [0.83, 0.84, 0.86])]))
    assert (
        "test 84.33 ± 1.53 (+2.67 over the baseline, 95 % interval +1.23 to +4.10; n=3" in text
    )  # t(0.975, 2) = 4.3027


def test_cells_that_gave_nothing_say_why() -> None:
    rows = [
        *seeds_of(run, [0.8, 0.8], alpha=0.1, temperature=1.0),
        *seeds_of(run, [0.1, 0.1], alpha=0.1, temperature=2.0, status="failed", error="loss is NaN at epoch 2"),
        run(0.1, alpha=0.1, temperature=4.0, status="stopped", epochs_run=3),
        *seeds_of(run, [0.1, 0.1], alpha=0.5, temperature=1.0, status="unfinished"),
        run(0.9, alpha=0.5, temperature=2.0),
        run(alpha=0.5, temperature=2.0, seed=1, status="lost"),
    ]
    text = grid_table(runs_frame(rows))
    assert table_rows(text)[1:] == [
        ["α=0.1", "**★ 80.00 ± 0.00**", "2 failed", "stopped at 3"],
        ["α=0.5", "2 unfinished", "90.00 (n=1), 1 unfinished", "–"],
    ]
    assert "- Failed, 2 of 9 runs: loss is NaN at epoch 2" in text
    assert "Baseline: none was run" in text


def test_a_gain_over_some_of_the_seeds_says_so() -> None:
    rows = [baseline(0.80), *seeds_of(run, [0.82, 0.99])]
    text = grid_table(runs_frame(rows))
    assert "(+2.00 on 1 seed)" in text
    assert "second ±" not in text
    rows = [*seeds_of(baseline, [0.80, 0.80]), *seeds_of(run, [0.81, 0.83, 0.99])]
    assert "(+2.00 ± 1.41 on 2 seeds)" in grid_table(runs_frame(rows))


@pytest.mark.parametrize(("alphas", "words"), [([0.1, 0.5], "1 other"), ([0.1, 0.5, 0.9], "2 others")])
def test_a_tie_is_said_and_the_first_wins(alphas: list[float], words: str) -> None:
    tied = [
        run(0.8, validation, alpha=alpha, seed=seed)
        for index, alpha in enumerate(alphas)  # another order of the seeds sums to another last bit
        for seed, validation in enumerate([0.7, 0.1, 0.2][index:] + [0.7, 0.1, 0.2][:index])
    ]
    worse = seeds_of(run, [0.9, 0.9, 0.9], 0.1, alpha=1.0)
    assert f"- ★ Best by validation (tied with {words}): mode kl, alpha 0.1" in grid_table(runs_frame(tied + worse))


def test_ties_are_counted_among_those_that_compete() -> None:
    rows = [run(0.8, 0.8, student=student) for student in ("resnet8", "resnet20")]
    assert "tied" not in grid_table(runs_frame([*rows, run(0.8, 0.8, control="shuffled-teacher")]))


@pytest.mark.parametrize(("validation", "beaten"), [(0.84, True), (0.85, True), (0.8502, False)])
def test_a_baseline_that_no_cell_beats_is_said(validation: float, beaten: bool) -> None:
    rows = [*seeds_of(baseline, [0.8, 0.8], 0.85), *seeds_of(run, [0.9, 0.9], validation)]
    rows += seeds_of(run, [0.9, 0.9], 0.8, alpha=0.9)
    text = grid_table(runs_frame(rows))
    assert ("Best by validation (no distilled cell beats the baseline by validation): mode kl" in text) == beaten
    assert ("no distilled cell" in text) == beaten


def test_a_baseline_without_a_score_is_not_said_to_be_unbeaten() -> None:
    rows = [baseline(0.9, 0.9), baseline(0.9, seed=1, status="failed"), run(0.8, 0.8)]
    text = grid_table(runs_frame(rows))
    assert "Baseline, not distilled: test 90.00 (n=1, seed 0), 1 failed" in text
    assert "no distilled cell" not in text


def test_under_the_published_protocol_the_test_set_compares_with_the_baseline() -> None:
    rows = [{**row, "protocol": "published"} for row in (baseline(0.9), run(0.8), run(0.8, alpha=0.9))]
    text = grid_table(runs_frame(rows))
    assert "upwards (tied with 1 other; no distilled cell beats the baseline by test accuracy): mode kl" in text
    assert "Baseline, not distilled: test 90.00 (n=1, seed 0)" in text


def test_where_a_scheduler_stopped_every_cell_the_way_to_finish_them_is_said() -> None:
    stopped = run(0.1, 0.1, status="stopped", epochs_run=3)
    way = "the same command without --scheduler finishes them from their checkpoints."
    assert way in grid_table(runs_frame([baseline(0.8, 0.8), stopped]))
    assert way not in grid_table(runs_frame([baseline(0.8, 0.8), run(0.1, status="failed")]))
    assert way not in grid_table(runs_frame([run(0.8, 0.8, alpha=0.9), stopped]))


def test_modes_have_tables_of_their_own_and_a_missing_temperature_is_kept() -> None:
    rows = [run(0.8, alpha=alpha, mode=mode) for mode in ("kl", "mse") for alpha in (0.1, 0.5)]
    rows += [run(0.8, alpha=alpha, mode="logit_mse", temperature=None) for alpha in (0.1, 0.5)]
    text = grid_table(runs_frame(rows))
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "### mode kl",
        "### mode logit_mse",
        "### mode mse",
    ]
    assert [row for row in table_rows(text) if row[0] == ""] == [["", "T=4"], ["", "no T"], ["", "T=4"]]


def test_modes_lie_side_by_side_within_what_else_was_swept() -> None:
    both = [(mode, convention) for mode in ("kl", "mse") for convention in ("additive", "hinton")]
    rows = [run(0.8, alpha=alpha, mode=mode, convention=name) for mode, name in both for alpha in (0.1, 0.5)]
    headings = [line for line in grid_table(runs_frame(rows)).splitlines() if line.startswith("#")]
    assert headings == [
        f"### mode {mode}, convention {name}" for name in ("additive", "hinton") for mode in ("kl", "mse")
    ]


def test_a_schedule_is_a_column_after_the_numbers() -> None:
    rows = [run(0.8, temperature=temperature, alpha=0.5) for temperature in (10.0, 2.0)]
    rows.append(run(0.8, temperature=None, temperature_schedule="[[0, 8.0], [5, 1.0]]"))
    assert table_rows(grid_table(runs_frame(rows)))[0] == ["", "T=2", "T=10", "T=[[0, 8.0], [5, 1.0]]"]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("student", ("resnet8", "resnet20")),
        ("convention", ("additive", "hinton")),
        ("lr", (0.1, 0.10000001)),
        ("epochs", (30, 60)),
        ("control", ("none", "shuffled-teacher")),
    ],
)
def test_other_swept_fields_split_the_grid(field: str, values: tuple[Any, Any]) -> None:
    rows = [run(0.8, alpha=alpha, **{field: value}) for value in values for alpha in (0.1, 0.5)]
    text = grid_table(runs_frame(rows))
    assert sum(line.startswith(f"### mode kl, {field} ") for line in text.splitlines()) == 2
    assert text.count("80.00") >= 4


def test_baselines_are_told_apart_by_what_they_differ_in() -> None:
    rows = [f(0.8, 0.8, alpha=alpha, lr=lr) for f in (run, baseline) for lr in (0.1, 0.2) for alpha in (0.1, 0.5)]
    text = grid_table(runs_frame(rows))
    assert "Baseline, not distilled (lr 0.1): validation 80.00, test 80.00" in text
    assert "Baseline, not distilled (lr 0.2): validation 80.00, test 80.00" in text


def test_without_alpha_and_temperature_the_table_is_flat_baselines_first_then_the_best() -> None:
    rows = [f(0.7 + lr, 0.6 + lr, lr=lr) for lr in (0.01, 0.1) for f in (run, baseline)]
    assert table_rows(grid_table(runs_frame(rows))) == [
        ["", "lr", "test accuracy (gain)", "validation"],
        ["baseline", "0.1", "80.00 (n=1)", "70.00"],
        ["baseline", "0.01", "71.00 (n=1)", "61.00"],
        ["best", "0.1", "**★ 80.00 (+0.00, n=1)**", "70.00"],
        ["", "0.01", "71.00 (+0.00, n=1)", "61.00"],
    ]


def test_a_searchers_scattered_points_are_a_flat_table() -> None:
    rows = [run(0.8, 0.8 + i / 100, alpha=i / 7, temperature=1 + i / 3) for i in range(5)]
    table = table_rows(grid_table(runs_frame(rows)))
    assert table[0] == ["", "temperature", "alpha", "test accuracy (gain)", "validation"]
    assert [row[-1] for row in table[1:]] == ["84.00", "83.00", "82.00", "81.00", "80.00"]


def test_a_teacher_that_may_have_seen_the_validation_images_is_mentioned() -> None:
    seen = "teacher may have trained on the validation images"
    assert seen in grid_table(runs_frame([run(0.8, 0.8, teacher_saw_validation="unknown")]))
    assert seen not in grid_table(runs_frame([run(0.8, 0.8)]))


def test_no_finished_run_is_said_plainly() -> None:
    rows = [run(0.1, status="failed", error="loss is NaN"), run(0.1, seed=1, status="stopped", epochs_run=2)]
    assert grid_table(runs_frame(rows)) == (
        "No run has finished: 1 failed, 1 stopped.\n\n- Failed, 1 of 2 runs: loss is NaN\n"
    )
    assert grid_table(runs_frame([])) == "No run has finished: none was begun.\n"
    assert grid_table(runs_frame([run(None)])) == "No run has finished: none has a test accuracy.\n"


def test_baselines_alone() -> None:
    text = grid_table(runs_frame(seeds_of(baseline, [0.80, 0.82])))
    assert "Baseline, not distilled: validation 80.00, test 81.00 ± 1.41" in text
    assert "nothing was distilled" in text
