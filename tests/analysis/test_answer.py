"""The answer in sentences: what is shown, what is not, and what cannot be known."""

from __future__ import annotations

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
    assert third.startswith("The seed alone moves a run by 0.")
    assert "against temperature 100 %" in third


def test_noise_is_not_called_a_gain() -> None:
    first, second, _ = answers(runs_frame(sweep(0.002, spread=0.02)))[""]
    assert "so neither a gain nor a loss is shown" in first
    assert "0 are better than the baseline beyond luck, 0 worse, 3 undecided" in second


def test_a_loss_is_called_a_loss() -> None:
    rows = [baseline(0.7 + s / 1000, 0.7, seed=s) for s in range(3)]
    rows += [run(0.6 + (s % 2) / 1000, 0.6, seed=s) for s in range(3)]
    first, *_ = answers(runs_frame(rows))[""]
    assert "is the only one: 60.03 % test accuracy over 3 seeds, 10.07 points less than" in first
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
        ([baseline(0.6, 0.6)], "No distilled setting has finished all of its runs"),
        ([], "No run has finished."),
        (sweep(0.05, protocol="published"), "chosen on the test set itself and so flattered"),
        (
            [baseline(0.6, 0.6, seed=0), run(0.7, 0.7, seed=1)],
            "it shares no finished seed with the undistilled baseline",
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
    assert answers(runs_frame(rows))[""][-1].startswith("The seed alone moves a run by 0.")


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


def test_controls_are_no_settings() -> None:
    """They neither compete nor name the best one."""
    shuffled = [{**row, "control": "shuffled-teacher"} for row in sweep(-0.05) if row.get("method") != "none"]
    first, second, _ = answers(runs_frame([*sweep(0.05), *shuffled]))[""]
    assert "is temperature 9: " in first
    assert second.startswith("Of 3 settings")
