"""A plan knows of a data set what its images say, where the table does not say it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy_data import bytes_of, one_line, picture

from kd_trainable.data import DATASETS
from kd_trainable.data.images import from_one, measured
from kd_trainable.data.load import load
from kd_trainable.tuning.facts import facts
from kd_trainable.vocabulary import InputError


def test_a_pinned_data_set_is_not_loaded(tmp_path: Path) -> None:
    for name in ("cifar10", "emnist_letters"):
        assert facts(name, str(tmp_path / "nowhere")) is DATASETS[name]


def test_a_folder_tells_all_that_the_table_leaves_out(tmp_path: Path) -> None:
    for seed, name in enumerate(["train/a/1", "train/b/1", "train/b/2", "test/a/1", "test/b/1"]):
        picture(tmp_path / f"{name}.png", bytes_of(seed, 8, 6))
    known, data = facts("folder", str(tmp_path)), load("folder", tmp_path)
    assert known.target == DATASETS["folder"].target
    assert (known.shape, known.classes, known.train_images, known.test_images) == ((1, 8, 6), 2, 3, 2)
    assert known.fingerprint == data.fingerprint()
    assert known.normalizations == data.normalizations
    assert len(known.normalizations["dataset"][0]) == 1


def test_data_that_is_not_there_is_said_before_anything_is_planned() -> None:
    with pytest.raises(InputError) as caught:
        facts("image_list")
    one_line(caught, "data_dir: none given", "train.txt")


def test_measured_is_the_mean_and_deviation_of_all_pixels() -> None:
    images = bytes_of(3, 2000, 2, 3, 5) // np.array([1, 4], np.uint8).reshape(1, 2, 1, 1)
    mean, std = measured(images)
    assert mean == pytest.approx(images.mean((0, 2, 3)) / 255, abs=5.1e-5)
    assert std == pytest.approx(images.std((0, 2, 3)) / 255, abs=5.1e-5)
    assert all(value == round(value, 4) for value in mean + std)


def test_a_channel_that_is_the_same_everywhere_can_be_divided_by() -> None:
    assert measured(np.full((2, 1, 4, 4), 51, np.uint8)) == ((0.2,), (1.0,))


def test_labels_from_one_start_at_zero() -> None:
    assert from_one(np.array([1, 26, 3]), 26, "here").tolist() == [0, 25, 2]
