"""The stream and the held-out split are fixed for ever: the literals below never change without a version."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms import RandomErasing

from kd_trainable.data.split import holdout
from kd_trainable.data.stream import (
    STREAM_VERSION,
    epoch_boxes,
    epoch_mix,
    epoch_order,
    epoch_squares,
    epoch_views,
)

SIZES = [(32, 32), (8, 8), (5, 7), (224, 200), (1, 9)]


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


def test_pinned_boxes_squares_and_partners() -> None:
    assert epoch_boxes(0, 0, 4, 0.5, 32, 32).tolist() == [[18, 12, 13, 12], [0, 0, 0, 0], [0, 7, 26, 11], [1, 5, 18, 7]]
    assert epoch_boxes(3, 7, 3, 1.0, 8, 8).tolist() == [[1, 6, 7, 2], [3, 3, 2, 2], [1, 0, 3, 7]]
    assert digest(epoch_boxes(0, 0, 50_000, 0.5, 32, 32)) == "d251baf6034fdffe"
    assert epoch_squares(0, 0, 3, 16, 32, 32).tolist() == [[0, 6, 8, 16], [0, 18, 12, 14], [6, 14, 16, 16]]
    assert epoch_squares(3, 7, 3, 3, 8, 8).tolist() == [[0, 6, 2, 2], [0, 1, 2, 3], [5, 5, 3, 3]]
    assert digest(epoch_squares(0, 0, 50_000, 16, 32, 32)) == "04379c75eeb87c31"
    partners, shares = epoch_mix(0, 0, 50_000, 0.2)
    assert partners[:4].tolist() == [4174, 45411, 32454, 14136]
    assert (shares[:4] * 65536).tolist() == [65414, 36959, 65536, 33887]
    assert (digest(partners), digest(shares * 65536)) == ("bb08968a260b77df", "22cf8db93163cebd")


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


def test_a_box_and_a_partner_belong_to_the_image_and_not_to_its_place() -> None:
    assert (epoch_boxes(5, 6, 9_000, 0.5, 32, 32)[:1_000] == epoch_boxes(5, 6, 1_000, 0.5, 32, 32)).all()
    assert (epoch_squares(5, 6, 9_000, 16, 32, 32)[:1_000] == epoch_squares(5, 6, 1_000, 16, 32, 32)).all()
    assert (epoch_mix(5, 6, 9_000, 0.2)[1][:1_000] == epoch_mix(5, 6, 1_000, 0.2)[1]).all()


def test_another_seed_or_epoch_draws_anew() -> None:
    """Two independent draws of 5,000 erase half of the images in common, and mix few with the same partner."""
    pairs = [(0, 0), (0, 1), (1, 0), (0, 2)]
    erased = [epoch_boxes(*pair, 5_000, 0.5, 32, 32)[:, 2] > 0 for pair in pairs]
    squares = [epoch_squares(*pair, 5_000, 1, 32, 32) for pair in pairs]
    mixes = [epoch_mix(*pair, 5_000, 1.0) for pair in pairs]
    for a in range(len(pairs)):
        for b in range(a):
            assert abs((erased[a] == erased[b]).mean() - 0.5) < 0.04
            assert (squares[a] == squares[b]).all(axis=1).sum() < 25
            assert (mixes[a][0] == mixes[b][0]).sum() < 12
            assert abs(np.corrcoef(mixes[a][1], mixes[b][1])[0, 1]) < 0.06


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_box_lies_inside_the_image(height: int, width: int) -> None:
    boxes = epoch_boxes(0, 0, 20_000, 1.0, height, width)
    top, left, tall, wide = boxes[boxes[:, 2] > 0].T
    assert len(top) == (20_000 if height > 1 else 0)  # nothing is lower than one row
    assert ((top >= 0) & (left >= 0) & (wide >= 1) & (tall < height) & (wide < width)).all()
    assert ((top + tall <= height) & (left + wide <= width)).all()
    if len(top):  # and touches every border at times
        assert (top.min(), left.min(), (top + tall).max(), (left + wide).max()) == (0, 0, height, width)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_as_many_images_are_erased_as_asked(share: float) -> None:
    erased = (epoch_boxes(0, 0, 50_000, share, 32, 32)[:, 2] > 0).mean()
    assert abs(erased - share) <= 5 * np.sqrt(share * (1 - share) / 50_000)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 40)])
def test_boxes_are_torchvisions_but_for_the_draw(height: int, width: int) -> None:
    """Area, aspect and place have the quantiles of RandomErasing's own draws, to within what 6,000 draws can tell."""
    torch.manual_seed(0)
    image, given = torch.zeros(1, height, width), RandomErasing()
    theirs = np.array([given.get_params(image, given.scale, given.ratio, [0.0])[:4] for _ in range(6_000)])
    ours = epoch_boxes(0, 0, 6_000, 1.0, height, width)
    for of in (lambda b: b[:, 2] * b[:, 3], lambda b: b[:, 2] / b[:, 3], lambda b: b[:, 0], lambda b: b[:, 1]):
        assert stats.ks_2samp(of(ours), of(theirs)).statistic < 0.03  # 0.1 % of fair pairs lie above 0.036


def test_a_square_is_clipped_around_a_uniform_pixel() -> None:
    """Every centre's square, written out slowly, is there, and as often as the others."""
    for side, height, width in [(16, 32, 32), (3, 8, 8), (1, 5, 7), (30, 5, 7)]:
        drawn = epoch_squares(0, 0, 40_000, side, height, width)
        slow = {}
        for y in range(height):
            for x in range(width):
                rows = [r for r in range(y - side // 2, y - side // 2 + side) if 0 <= r < height]
                columns = [c for c in range(x - side // 2, x - side // 2 + side) if 0 <= c < width]
                square = (rows[0], columns[0], len(rows), len(columns))
                slow[square] = slow.get(square, 0) + 1
        seen, counts = np.unique(drawn, axis=0, return_counts=True)
        assert {tuple(map(int, square)) for square in seen} == slow.keys()
        expected = np.array([slow[tuple(map(int, square))] for square in seen]) * 40_000 / (height * width)
        free = max(len(expected) - 1, 1)
        assert abs(((counts - expected) ** 2 / expected).sum() - (len(expected) - 1)) <= 6 * np.sqrt(2 * free)


def test_partners_are_uniform() -> None:
    partners, _ = epoch_mix(0, 0, 50_000, 0.2)
    counts = np.bincount(partners // 500, minlength=100)
    assert len(counts) == 100
    assert abs(((counts - 500) ** 2 / 500).sum() - 99) <= 6 * np.sqrt(2 * 99)
    assert abs(np.corrcoef(partners, np.arange(50_000))[0, 1]) < 0.02
    assert {int(partner) for epoch in range(50) for partner in epoch_mix(0, epoch, 5, 0.2)[0]} == set(range(5))


@pytest.mark.parametrize("concentration", [0.1, 0.2, 0.5, 1.0, 2.0, 8.0])
def test_shares_are_of_the_beta_distribution(concentration: float) -> None:
    _, shares = epoch_mix(0, 1, 50_000, concentration)
    assert (shares * 65536 == np.rint(shares * 65536)).all()
    assert abs(shares.mean() - 0.5) < 0.01
    variance = 1 / (4 * (2 * concentration + 1))  # of Beta(a, a)
    assert abs(shares.var() - variance) < 0.03 * variance
    levels = np.linspace(0.05, 0.95, 19)
    found, wanted = np.quantile(shares, levels), stats.beta(concentration, concentration).ppf(levels)
    assert np.abs(found - wanted).max() < 0.03


@pytest.mark.parametrize(("concentration", "values"), [(5e-324, {0, 1}), (1e-9, {0, 1}), (1e308, {0.5})])
def test_extreme_concentrations_are_what_they_tend_to(concentration: float, values: set[float]) -> None:
    assert set(epoch_mix(0, 0, 1_000, concentration)[1].tolist()) == values


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
