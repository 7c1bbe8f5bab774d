"""The lines above a table say what was run: the setting, whose it is, and what is not at its default."""

from __future__ import annotations

from typing import Any

from hand_made import baseline, run, runs_frame

from analysis.tables.overview import grid_table

NONE: dict[str, Any] = {"mode": None, "temperature": None, "alpha": None, "convention": None}


def header(text: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith("|"))
    return [word.strip() for word in line.strip("|").split(" | ")]


def test_the_caption_says_what_is_not_at_its_default() -> None:
    tuned = {"lr": 0.01, "batch_size": 32, "mixup": 0.2, "dropout": 0.1, "init": "kaiming", "nesterov": True}
    plain = {"normalization": "dataset", "mixup": 0.0, "step_epochs": 45, "gamma": None}
    rows = [f(0.8, 0.8, **{**plain, **tuned}) for f in (baseline, run)]
    text = grid_table(runs_frame(rows))
    said = " Also: lr 0.01, nesterov True, batch_size 32, mixup 0.2, dropout 0.1, init kaiming.\n"
    assert f"precision float32.{said}" in text
    assert "Also" not in grid_table(runs_frame([f(0.8, 0.8, **plain) for f in (baseline, run)]))
    swept = [f(0.8, 0.8, **{**plain, **tuned, "lr": lr}) for f in (baseline, run) for lr in (0.01, 0.1)]
    assert " Also: nesterov True, batch_size 32, mixup" in grid_table(runs_frame(swept))
    lists = [{**row, **plain, "milestones": "[10, 20]", "taps": "[]", "peer": "digits_mlp"} for row in (run(0.8),)]
    assert " Also: peer digits_mlp, milestones 10 20.\n" in grid_table(runs_frame(lists))


def test_a_field_that_only_another_one_makes_relevant_is_not_swept() -> None:
    schedules: dict[str, dict[str, Any]] = {"plateau": {"plateau_patience": 10, "gamma": 0.1}, "cosine": {}}
    schedules["step"] = {"step_epochs": 45, "gamma": 0.1, "fresh_optimizer": False}
    optimizers: dict[str, dict[str, Any]] = {"sgd": {}, "adadelta": {"rho": 0.9, "momentum": None, "nesterov": None}}
    rows = [
        f(0.8, 0.8, optimizer=optimizer, schedule=schedule, **{"fresh_optimizer": None, **schedules[schedule]}, **of)
        for f in (baseline, run)
        for optimizer, of in optimizers.items()
        for schedule in schedules
    ]
    text = grid_table(runs_frame(rows))
    assert header(text) == ["", "optimizer", "schedule", "test accuracy (gain)", "validation"]
    assert "- Baseline, not distilled (optimizer adadelta, schedule cosine): validation" in text


def test_what_concerns_some_methods_alone_says_whose_it_is() -> None:
    joined = [run(0.8, 0.8, method="kd+at"), run(0.8, 0.8, method="at", **NONE)]
    assert "; kd's: convention hinton, mode kl" in grid_table(runs_frame([run(0.8, 0.8), *joined]))
    assert "; kd's: convention hinton, mode kl" in grid_table(runs_frame(joined))
    both = [run(0.8, 0.8, method=name) for name in ("kd", "nets:mine")]
    assert "; kd, nets:mine's: convention hinton" in grid_table(runs_frame([*both, run(0.8, 0.8, method="at", **NONE)]))
    beside = [run(0.8, 0.8, method="kd+at"), run(0.8, 0.8, method="rkd", **NONE)]
    assert "; kd's: convention hinton, mode kl, alpha 0.5, temperature 4." in grid_table(runs_frame(beside))
    assert "'s:" not in grid_table(runs_frame(both))
