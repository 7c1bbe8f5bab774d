"""The published tables: whole, in our words, and with numbers that could be accuracies."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.published.literature import IDENTITY, TRAINING, fits, matched, names, published, training
from analysis.stats.cells import KEY

ROWS = {
    "cifar100_methods": (41, 0),
    "cifar10_grid": (49, 49),
    "emnist_letters": (3, 3),
    "kd_modes": (35, 35),
    "knowledge_distillation_zoo_cifar10": (18, 18),
    "repdistiller_cifar100": (74, 74),
    "temperature_vs_seed": (10, 10),
    "training_tricks": (16, 0),
}
METHODS = {"none", "kd", "l2", "l2_root", "fitnets", "at", "pkt", "rkd", "sp", "ofd"}
EXTRA = {"source", "link", "metric", "value", "epoch", "teacher_accuracy", "note"}


def test_these_are_all() -> None:
    assert {name: (len(published(name)), published(name)["value"].count()) for name in names()} == ROWS


@pytest.mark.parametrize("name", ROWS)
def test_every_table_is_whole_and_speaks_our_words(name: str) -> None:
    table = published(name)
    assert set(table) - EXTRA <= {*KEY, "seed"}
    assert set(table) >= EXTRA
    for column in ("source", "link", "dataset", "student", "method", "metric", "epoch"):
        assert table[column].notna().all(), column
    assert set(table["method"]) <= METHODS
    assert set(table["epoch"]) <= {"best", "last", "unknown"}
    assert set(table["metric"]) == {"test_accuracy"}
    assert table["value"].dropna().between(0.5, 1).all()
    assert (table["teacher"].isna() == (table["method"] == "none")).all()
    assert table[table["method"] == "kd"]["convention"].notna().all()


@pytest.mark.parametrize("name", ROWS)
def test_no_two_rows_are_of_one_experiment(name: str) -> None:
    table = published(name)
    assert not table.duplicated(matched(table)).any()


@pytest.mark.parametrize(
    ("name", "which", "value"),
    [  # read by eye from the sources
        ("kd_modes", {"mode": "cse", "temperature": "8", "alpha": "0.3"}, 0.8697),
        ("kd_modes", {"mode": "mse", "temperature": "8", "alpha": "1"}, 0.8689),
        ("kd_modes", {"mode": "mse", "temperature": "16", "alpha": "0.7"}, 0.8634),
        ("cifar10_grid", {"alpha": "0.9", "temperature": "5", "student": "cnn2"}, 0.6257),
        ("cifar10_grid", {"alpha": "0.25", "temperature": "2.5"}, 0.6086),
        ("cifar10_grid", {"alpha": "0.9", "temperature": "5", "student": "resnet18"}, 0.8812),
        ("temperature_vs_seed", {"temperature": "30"}, 0.7581),
        ("temperature_vs_seed", {"seed": "30"}, 0.7564),
        ("emnist_letters", {"method": "kd"}, 0.922),
        ("repdistiller_cifar100", {"teacher": "resnet32x4", "student": "resnet8x4", "method": "kd"}, 0.7333),
        ("repdistiller_cifar100", {"teacher": "resnet50", "student": "mobilenetv2", "method": "at"}, 0.5858),
        ("knowledge_distillation_zoo_cifar10", {"teacher": "resnet110", "method": "sp"}, 0.9330),
    ],
)
def test_numbers_stand_where_the_sources_have_them(name: str, which: dict[str, str], value: float) -> None:
    table = published(name)
    for column, text in which.items():
        table = table[(table[column] == text).fillna(False)]
    assert table["value"].tolist() == [value]


def test_a_trick_is_matched_and_the_training_is_not() -> None:
    tricks, grid = published("training_tricks"), published("cifar10_grid")
    assert {"mixup", "schedule", "augment"} <= set(matched(tricks))
    assert "lr" in training(tricks)
    assert set(matched(grid)) <= set(IDENTITY)
    assert {"schedule", "epochs", "lr"} <= set(training(grid))
    assert "lr" in TRAINING  # RepDistiller's differs by the student, and is no trick


@pytest.mark.parametrize(
    ("values", "dtype", "text", "expected"),
    [
        ([0.5, 1.0, None], "Float64", "1", [False, True, False]),
        ([0.0, 0.2, None], "Float64", ">0", [False, True, False]),
        ([True, False, None], "boolean", "true", [True, False, False]),
        (["kl", None], "string", "kl", [True, False]),
        ([300, 5], "Int64", "300", [True, False]),
    ],
)
def test_our_values_fit_their_text(values: list, dtype: str, text: str, expected: list[bool]) -> None:
    assert fits(pd.Series(values, dtype=dtype), text).tolist() == expected
