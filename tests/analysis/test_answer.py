"""The answer in sentences: what is shown, what is not, and what cannot be known."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hand_made import baseline, run, runs_frame

from analysis.answer import answers


def sweep(gain: float, spread: float = 0.001, seeds: int = 4, **fields: object) -> list[dict[str, object]]:
    """A baseline and three T; the seeds lie ``spread`` apart in an order of their own in every cell."""
    off = [0.0, 1.0, -1.0, 0.5, -0.5, 0.2][:seeds]
    rows = [baseline(0.6 + spread * v, 0.6, seed=s, **fields) for s, v in enumerate(off)]
    for i, t in enumerate((1.0, 4.0, 9.0)):
        turned = off[i + 1 :] + off[: i + 1]
        value = 0.6 + gain * i / 2
        rows += [run(value + spread * v, value, seed=s, temperature=t, **fields) for s, v in enumerate(turned)]
    return rows


def test_a_gain_that_is_shown() -> None:
    (first, second, third) = answers(runs_frame(sweep(0.05)))[""]
    assert first.startswith(
        "The best setting, chosen by validation, is temperature 9: 65.01 % test accuracy over 4 seeds, "
    )
    assert "5.00 points more than the undistilled student; over all 3 settings at once the 95 % interval" in first
    assert first.endswith("points, so a gain is shown.")
    assert (
        second
        == "Of 3 settings compared with the baseline 2 are better than the baseline beyond luck, 0 worse, 1 undecided."
    )
    assert third.startswith("Luck: the seed moves a run by 0.")
    assert "against temperature 100 %" in third


def test_noise_is_not_called_a_gain() -> None:
    first, second, _ = answers(runs_frame(sweep(0.002, spread=0.02)))[""]
    assert "so neither a gain nor a loss is shown" in first
    assert "0 are better than the baseline beyond luck, 0 worse, 3 undecided" in second


def test_a_loss_is_called_a_loss() -> None:
    rows = [baseline(0.7 + s / 1000, 0.7, seed=s) for s in range(3)]
    rows += [run(0.6 + (s % 2) / 1000, 0.6, seed=s) for s in range(3)]
    first, *_ = answers(runs_frame(rows))[""]
    assert (
        "is method kd, mode kl, temperature 4, alpha 0.5: 60.03 % test accuracy over 3 seeds, 10.07 points less than"
        in first
    )
    assert first.endswith("so a loss is shown.")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (sweep(0.05, seeds=1), "with a single seed that cannot be told from luck."),
        ([r for r in sweep(0.05) if r.get("method") != "none"], "so whether distillation helped is not known."),
        (
            [run(status="failed"), run(status="unfinished")],
            "No run has finished (1 failed, 1 unfinished), so there is no",
        ),
        ([baseline(0.6, 0.6)], "Nothing was distilled"),
        ([baseline(0.6, 0.6), run(status="failed")], "No distilled setting has finished all of its runs"),
        ([run(float("nan"), 0.6), baseline(None, 0.6)], "The test accuracy of all 2 finished runs is missing"),
        ([baseline(0.6, 0.6), run(0.6, 0.6)], "the same as the undistilled student; with a single seed"),
        ([], "No run has finished."),
        (sweep(0.05, protocol="published"), "chosen on the test set itself and so flattered"),
        (
            [baseline(0.6, 0.6, seed=0), run(0.7, 0.7, seed=1)],
            "no undistilled baseline of its recipe shares a finished seed with it",
        ),
    ],
)
def test_what_is_not_known_is_said(rows: list[dict[str, object]], said: str) -> None:
    sentences = " ".join(answers(runs_frame(rows))[""])
    assert said in sentences
    assert "nan" not in sentences.lower().replace("finan", "")
    assert "<NA>" not in sentences


def test_luck_is_known_without_a_baseline() -> None:
    rows = [r for r in sweep(0.05) if r.get("method") != "none"]
    assert answers(runs_frame(rows))[""][-1].startswith("Luck: the seed moves a run by 0.")


def test_every_student_has_an_answer_of_its_own() -> None:
    both = runs_frame([*sweep(0.05), *sweep(-0.05, student="resnet20")])
    found = answers(both)
    assert list(found) == ["student resnet20", "student resnet8"]
    assert "a gain is shown" in found["student resnet8"][0]
    assert "temperature 1: 60.01" in found["student resnet20"][0]


def test_diverged_settings_do_not_drown_the_rest() -> None:
    wild = [run(v, v, seed=s, temperature=30.0) for s, v in enumerate([0.1, 0.12, 0.1, 0.1])]
    third = answers(runs_frame([*sweep(0.05), *wild]))[""][2]
    assert "1 diverged setting left out" in third


def test_nan_accuracy_is_no_result() -> None:
    rows = [*sweep(0.05), run(float("nan"), 0.9, temperature=30.0)]
    frame = runs_frame(rows)
    assert pd.isna(frame["test_accuracy_last"].iloc[-1])
    assert answers(frame)[""][0].startswith("The best setting, chosen by validation, is temperature 9")


def test_an_interval_that_ends_at_zero_as_printed_decides_nothing() -> None:
    frame = runs_frame(sweep(0.05))
    _, second, _ = answers(frame)[""]
    assert "2 are better" in second


def test_where_settings_differ_in_spread_the_range_is_given() -> None:
    rng = np.random.default_rng(3)
    rows = [baseline(0.6 + v, 0.6, seed=s) for s, v in enumerate(0.001 * rng.normal(size=5))]
    for t, sd in ((1.0, 0.001), (2.0, 0.001), (4.0, 0.03), (9.0, 0.04), (12.0, 0.03), (20.0, 0.04)):
        rows += [run(0.62 + v, 0.62, seed=s, temperature=t) for s, v in enumerate(sd * rng.normal(size=5))]
    third = answers(runs_frame(rows))[""][2]
    assert re.search(
        r"paired by seed, 0\.\d\d to [1-4]\.\d\d points \(by the setting\) of standard deviation remain", third
    )
    assert re.search(r"over all 6 settings at once with 80 % certainty takes \d to \d\d\d\d? seeds\.", third)


def test_what_a_seed_does_to_all_settings_alike_is_luck_too() -> None:
    """Seeds move every run by two points; only what does not cancel in pairs decides how many seeds it takes."""
    of_seed, rng = [0.02, -0.02, 0.02, -0.02, 0.0], np.random.default_rng(0)
    rows = []
    for s, moved in enumerate(of_seed):
        rows.append(baseline(0.6 + moved + 0.0005 * rng.normal(), 0.6, seed=s))
        distilled = 0.61 + moved + 0.0005 * rng.normal(size=3)
        rows += [run(v, 0.61, seed=s, temperature=t) for t, v in zip((1.0, 4.0, 9.0), distilled, strict=True)]
    third = answers(runs_frame(rows))[""][2]
    assert re.search(r"the seed moves a run by (1\.9|2\.0)\d points", third)
    assert re.search(r"paired by seed, 0\.0\d points of standard deviation remain", third)


def test_the_survivor_of_failures_is_not_called_better() -> None:
    lucky = [
        run(0.72, 0.72, seed=0, temperature=30.0),
        *(run(status="failed", seed=s, temperature=30.0) for s in (1, 2, 3)),
    ]
    _, second, _ = answers(runs_frame([*sweep(0.05), *lucky]))[""]
    assert second.startswith("Of 3 settings")
    assert "1 more has too few finished runs to say" in second


def test_controls_are_no_settings() -> None:
    """They neither compete nor name the best one."""
    shuffled = [{**row, "control": "shuffled-teacher"} for row in sweep(-0.05) if row.get("method") != "none"]
    first, second, _ = answers(runs_frame([*sweep(0.05), *shuffled]))[""]
    assert "is temperature 9: " in first
    assert second.startswith("Of 3 settings")
