"""The stream and the held-out split are fixed for ever: the literals below never change without a version."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from kd_trainable.data.split import holdout
from kd_trainable.data.stream import STREAM_VERSION, epoch_order, epoch_views


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(array.astype("<i8").tobytes()).hexdigest()[:16]


def test_pinned_values() -> None:
    assert STREAM_VERSION == 1
    assert epoch_order(0, 0, 10).tolist() == [9, 2, 4, 7, 5, 0, 8, 6, 3, 1]
    assert epoch_order(3, 7, 10).tolist() == [8, 2, 7, 0, 6, 5, 9, 1, 3, 4]
    assert epoch_views(0, 0, 8, 162).tolist() == [83, 68, 20, 105, 97, 1, 143, 55]
    assert epoch_views(3, 7, 8, 162).tolist() == [138, 58, 150, 31, 125, 134, 59, 119]
    assert digest(epoch_order(0, 0, 50_000)) == "58d4e018633edeb3"
    assert digest(epoch_views(0, 0, 50_000, 162)) == "2744254f9c0593d5"


@pytest.mark.parametrize("images", [1, 2, 1_293, 50_000])
def test_order_is_a_permutation(images: int) -> None:
    order = epoch_order(1, 2, images)
    assert order.dtype == np.int64
    assert (np.sort(order) == np.arange(images)).all()


def test_seeds_epochs_and_purposes_are_independent() -> None:
    """Two independent permutations of 5,000 agree in about one place, two draws of 162 views in about 31."""
    pairs = [(0, 0), (0, 1), (1, 0), (1, 1), (2**32, 0), (0, 2)]
    orders = [epoch_order(seed, epoch, 5_000) for seed, epoch in pairs]
    views = [epoch_views(seed, epoch, 5_000, 162) for seed, epoch in pairs]
    for a in range(len(pairs)):
        assert (epoch_views(*pairs[a], 5_000, 5_000) == orders[a]).sum() < 12
        for b in range(a):
            assert (orders[a] == orders[b]).sum() < 12
            assert 5 < (views[a] == views[b]).sum() < 70


def test_a_view_belongs_to_the_image_and_not_to_its_place() -> None:
    """More images change nobody's view: entry i is a function of (seed, epoch, i)."""
    assert (epoch_views(5, 6, 50_000, 162)[:1_000] == epoch_views(5, 6, 1_000, 162)).all()


@pytest.mark.parametrize("views", [1, 2, 81, 162])
def test_views_are_uniform(views: int) -> None:
    """All occur, and chi-square lies within six standard deviations of what uniform draws give."""
    counts = np.bincount(epoch_views(0, 0, 50_000, views), minlength=views)
    assert len(counts) == views
    assert counts.min() > 0
    expected = 50_000 / views
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert abs(chi_square - (views - 1)) <= 6 * np.sqrt(2 * (views - 1))


def test_an_image_sees_all_its_views_over_epochs() -> None:
    """162 views in 1,500 passes: one is missed with probability 162 exp(-1500 / 162) < 2 %, here by none of three."""
    seen = np.array([epoch_views(0, epoch, 3, 162) for epoch in range(1_500)])
    assert [len(np.unique(seen[:, image])) for image in range(3)] == [162, 162, 162]


def test_pinned_holdout() -> None:
    labels = np.arange(100) % 10
    assert holdout(labels, 10)[1].tolist() == [2, 4, 20, 27, 43, 45, 48, 79, 91, 96]
    assert digest(holdout(np.arange(50_000) % 10, 10)[1]) == "205bba7f7e4f5cc3"


@pytest.mark.parametrize(("images", "held"), [(50_000, 5_000), (60_000, 5_000), (1_437, 143), (10, 1), (9, 0)])
def test_holdout_is_a_stratified_partition(images: int, held: int) -> None:
    labels = np.random.default_rng(0).choice(4, images, p=[0.5, 0.3, 0.15, 0.05])
    training, validation = holdout(labels, 4)
    assert len(validation) == held
    assert (np.sort(np.concatenate([training, validation])) == np.arange(images)).all()
    assert (np.diff(training) > 0).all()
    assert (np.diff(validation) > 0).all()
    share = np.bincount(labels, minlength=4) * held / images
    assert (np.abs(np.bincount(labels[validation], minlength=4) - share) < 1).all()


def test_holdout_takes_the_largest_remainders() -> None:
    """Shares of 20 images: 1.1, 0.5, 0.4: two whole places, 1 and then the 0.5."""
    labels = np.repeat([0, 1, 2], [11, 5, 4])
    assert np.bincount(labels[holdout(labels, 3)[1]], minlength=3).tolist() == [1, 1, 0]


def test_holdout_is_not_the_first_of_each_class() -> None:
    labels = np.repeat(np.arange(10), 500)
    places = holdout(labels, 10)[1] % 500
    assert 200 < places.mean() < 300
