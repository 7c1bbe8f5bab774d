"""Erasing, cutout and mixup equal the slow and obvious way, and are the same for whoever looks, whenever."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
import torch.nn.functional as F
from torch import Tensor

from kd_trainable.data import DATASETS, VIEWS
from kd_trainable.data.inputs import Inputs, colour_of, make_inputs
from kd_trainable.data.pixels import Looks, fill
from kd_trainable.data.stream import epoch_boxes, epoch_mix, epoch_squares, epoch_views
from kd_trainable.vocabulary import Pixels

SEED, EPOCH = 3, 7
ALL = Pixels("crop4+flip", random_erasing=0.5, cutout=3, mixup=0.4)
TRICKS = [
    Pixels(),
    Pixels("none", random_erasing=1.0),
    Pixels("flip", cutout=4),
    Pixels("crop4", mixup=1.0),
    Pixels("none", random_erasing=0.5, cutout=5),
    ALL,
]


def alone(inputs: Inputs, index: int, pixels: Pixels) -> Tensor:
    """One image [C, H, W] in its view, with its holes, normalised: written as one would first."""
    count, (height, width) = len(inputs.train), inputs.images.shape[2:]
    view = int(epoch_views(SEED, EPOCH, count, VIEWS[pixels.augment])[index])
    image = inputs.images[inputs.train[index]].clone()
    if "crop4" in pixels.augment:
        top, left = divmod(view // 2 if "flip" in pixels.augment else view, 9)
        image = F.pad(image, (4, 4, 4, 4))[:, top : top + height, left : left + width].clone()
    if "flip" in pixels.augment and view % 2:
        image = image.flip(2)
    boxes = [epoch_boxes(SEED, EPOCH, count, pixels.random_erasing, height, width)[index]]
    boxes += [epoch_squares(SEED, EPOCH, count, pixels.cutout, height, width)[index]] if pixels.cutout else []
    for top, left, tall, wide in boxes:
        for channel in range(len(image)):
            image[channel, top : top + tall, left : left + wide] = 128  # tiny's mean is 0.5
    return (image.float() / 255 - 0.5) / 0.25


def slowly(inputs: Inputs, index: int, pixels: Pixels) -> Tensor:
    """``alone``, with the partner mixed in."""
    if not pixels.mixup:
        return alone(inputs, index, pixels)
    partners, shares = epoch_mix(SEED, EPOCH, len(inputs.train), pixels.mixup)
    own, other = alone(inputs, index, pixels), alone(inputs, int(partners[index]), pixels)
    return float(shares[index]) * own + (1 - float(shares[index])) * other


def shown(inputs: Inputs, indices: Tensor, pixels: Pixels) -> Tensor:
    return inputs.training_pixels(indices, Looks.of(SEED, EPOCH, inputs, pixels))


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("shape", [tiny.GREY, tiny.COLOUR, (2, 5, 7)])
@pytest.mark.parametrize("pixels", TRICKS)
def test_every_trick_equals_the_slow_way(pixels: Pixels, shape: tuple[int, int, int], channels_last: bool) -> None:
    inputs, indices = tiny.inputs(shape, channels_last=channels_last), torch.arange(0, 180, 6)
    expected = torch.stack([slowly(inputs, int(index), pixels) for index in indices])
    found = shown(inputs, indices, pixels)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert found.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("pixels", TRICKS)
def test_an_image_looks_the_same_in_every_batch(pixels: Pixels) -> None:
    """All at once, in another order, in batches of 7, or one by one: to the bit."""
    inputs = tiny.inputs(tiny.COLOUR)
    everyone = torch.arange(180)
    whole = shown(inputs, everyone, pixels)
    order = torch.randperm(180, generator=torch.Generator().manual_seed(0))
    assert torch.equal(shown(inputs, order, pixels), whole[order])
    looks = Looks.of(SEED, EPOCH, inputs, pixels)
    for size in (1, 7):
        parts = [inputs.training_pixels(part, looks) for part in everyone.split(size)]
        assert torch.equal(torch.cat(parts), whole)


def of_raw_bits(shape: tuple[int, int, int], channels_last: bool = False) -> Inputs:
    """Images that no version of numpy makes differently."""
    raw = np.random.PCG64(0).random_raw(25 * int(np.prod(shape))).astype("<u8").view(np.uint8)
    data = replace(tiny.data(shape), train_images=raw.reshape(200, *shape), train_labels=np.arange(200) % 4)
    return make_inputs(data, "holdout", "dataset", "cpu", channels_last)


def digest(pixels: Tensor) -> str:
    return hashlib.sha256(pixels.contiguous().numpy().astype("<f4").tobytes()).hexdigest()[:16]


def test_an_epoch_looks_the_same_after_a_resume() -> None:
    """No epoch's draws depend on those before it, nor on the machine: the digest never changes without a version."""
    inputs = of_raw_bits(tiny.COLOUR)
    for epoch in range(EPOCH):
        inputs.training_pixels(torch.arange(10), Looks.of(SEED, epoch, inputs, ALL))
    after = shown(inputs, torch.arange(180), ALL)
    assert torch.equal(after, shown(of_raw_bits(tiny.COLOUR), torch.arange(180), ALL))
    assert digest(after) == "f91414fc00908868"


def test_epochs_and_seeds_look_different() -> None:
    inputs = tiny.inputs(tiny.COLOUR)
    seen = [
        inputs.training_pixels(torch.arange(180), Looks.of(seed, epoch, inputs, Pixels("none", *tricks)))
        for tricks in ((0.9, 0, 0.0), (0.0, 8, 0.0), (0.0, 0, 1.0))
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    for a in range(len(seen)):
        for b in range(a):
            assert (seen[a] != seen[b]).flatten(1).any(1).float().mean() > 0.9


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(
    ("shape", "augment", "expected"),
    [
        (tiny.GREY, "none", "5606207f0e85e9a2"),
        (tiny.GREY, "flip", "02850580f0615e79"),
        (tiny.GREY, "crop4", "6afc3c32afb8a836"),
        (tiny.GREY, "crop4+flip", "2cfe7e784e31f921"),
        (tiny.COLOUR, "none", "2dcde74438b63ecf"),
        (tiny.COLOUR, "flip", "2224ddc50ca45a33"),
        (tiny.COLOUR, "crop4", "f981240021dde43d"),
        (tiny.COLOUR, "crop4+flip", "91bf981de91f5d55"),
    ],
)
def test_plain_augmentations_are_what_they_were_before_there_were_tricks(
    shape: tuple[int, int, int], augment: str, expected: str, channels_last: bool
) -> None:
    """The digests were made by the code of version 0.1.0, before it knew of tricks."""
    inputs = of_raw_bits(shape, channels_last)
    assert digest(shown(inputs, torch.arange(0, 180, 7), Pixels(augment))) == expected


@pytest.mark.parametrize("pixels", TRICKS)
def test_a_teacher_of_another_normalisation_sees_the_students_own_picture(pixels: Pixels) -> None:
    """Of the same normalisation the very bits; of another, the same picture once that is undone."""
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.1)
    student, indices = tiny.inputs(tiny.COLOUR), torch.arange(180)
    same, other = tiny.inputs(tiny.COLOUR, channels_last=True), replace(student, mean=mean, std=std)
    seen = shown(student, indices, pixels)
    assert torch.equal(shown(same, indices, pixels), seen)
    means, stds = (torch.tensor(values).view(1, -1, 1, 1) for values in (mean, std))
    torch.testing.assert_close(shown(other, indices, pixels) * stds + means, seen * 0.25 + 0.5, rtol=0, atol=1e-6)


def test_the_images_themselves_are_never_written_to() -> None:
    inputs = tiny.inputs(tiny.COLOUR)
    before = inputs.images.clone()
    for pixels in TRICKS:
        first = shown(inputs, torch.arange(50), pixels)
        assert torch.equal(shown(inputs, torch.arange(50), pixels), first)
    assert torch.equal(inputs.images, before)


def test_boxes_are_filled_side_by_side_and_one_over_the_other() -> None:
    images = torch.full((2, 2, 4, 4), 200, dtype=torch.uint8)
    boxes = torch.tensor([[[0, 0, 2, 1], [0, 0, 1, 3]], [[0, 0, 0, 4], [3, 2, 1, 2]]])
    found = fill(images, boxes, torch.tensor([7, 9], dtype=torch.uint8))
    first = [[0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
    second = [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 0]]
    kept = torch.tensor([first, second]).bool()
    assert torch.equal(found[:, 0], torch.where(kept, 200, 7))
    assert torch.equal(found[:, 1], torch.where(kept, 200, 9))


def test_holes_have_the_mean_colour_of_the_data_sets_first_normalization() -> None:
    assert colour_of(DATASETS["cifar10"].normalizations["dataset"]).tolist() == [125, 123, 114]
    assert colour_of(DATASETS["digits"].normalizations["dataset"]).tolist() == [78]
    assert colour_of(((-0.1, 0.0, 1.2), (1.0, 1.0, 1.0))).tolist() == [0, 0, 255]
    data = replace(tiny.data(), normalizations={"first": ((0.2,), (0.5,)), "second": ((0.9,), (0.5,))})
    for name in ("first", "second"):
        inputs = make_inputs(data, "holdout", name, "cpu", False)
        hidden = shown(inputs, torch.arange(9), Pixels("none", cutout=16))  # all of an image of 8 x 8
        assert torch.equal(hidden, inputs.as_input(torch.full((9, 1, 8, 8), 51, dtype=torch.uint8)))


def test_a_run_is_told_whose_labels_are_mixed_and_how_much() -> None:
    inputs, indices = tiny.inputs(), torch.tensor([5, 170, 0])
    assert Looks.of(SEED, EPOCH, inputs, Pixels(random_erasing=0.5, cutout=3)).mix(indices) is None
    mix = Looks.of(SEED, EPOCH, inputs, Pixels("none", mixup=0.3)).mix(indices)
    assert mix is not None
    own, other = (inputs.as_input(inputs.images[inputs.train[of]]) for of in (indices, mix.partners))
    share = mix.shares.view(-1, 1, 1, 1)
    torch.testing.assert_close(shown(inputs, indices, Pixels("none", mixup=0.3)), share * own + (1 - share) * other)
    assert np.array_equal(mix.partners, epoch_mix(SEED, EPOCH, 180, 0.3)[0][indices])


def test_a_view_of_a_table_has_no_tricks() -> None:
    inputs = tiny.inputs()
    assert Looks.of_view(5, inputs, Pixels("crop4")).views.tolist() == [5] * 180
    for pixels in TRICKS[1:]:
        with pytest.raises(ValueError, match="has looks beyond its views"):
            Looks.of_view(0, inputs, pixels)
