"""Rendering equals the slow and obvious way, for every view, and normalising equals torchvision's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import functional

from kd_trainable.data import DATASETS, VIEWS
from kd_trainable.data.views import normalise, render
from kd_trainable.vocabulary import InputError

SHAPES = [(3, 32, 32), (1, 8, 8), (2, 5, 7)]


def some_images(batch: int, shape: tuple[int, int, int]) -> Tensor:
    return torch.randint(0, 256, (batch, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def slowly(image: np.ndarray, view: int, augment: str) -> np.ndarray:
    """One image [C, H, W] in one view, as one would write it first."""
    flip, crop = {
        "none": (0, None),
        "flip": (view, None),
        "crop4": (0, view),
        "crop4+flip": (view % 2, view // 2),
    }[augment]
    _, height, width = image.shape
    if crop is not None:
        dy, dx = divmod(crop, 9)
        image = np.pad(image, ((0, 0), (4, 4), (4, 4)))[:, dy : dy + height, dx : dx + width]
    return image[:, :, ::-1] if flip else image


def test_number_of_views() -> None:
    assert VIEWS == {"none": 1, "flip": 2, "crop4": 81, "crop4+flip": 162}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("augment", VIEWS)
def test_every_view_equals_the_slow_way(augment: str, shape: tuple[int, int, int]) -> None:
    images, views = some_images(VIEWS[augment], shape), torch.arange(VIEWS[augment])
    expected = [slowly(image.numpy(), view, augment) for view, image in enumerate(images)]
    before = images.clone()
    assert np.array_equal(render(images, views, augment).numpy(), np.stack(expected))
    assert torch.equal(images, before)  # the data set itself is never written to


def test_views_of_one_image_differ() -> None:
    images = some_images(1, (3, 32, 32)).expand(162, -1, -1, -1)
    assert len({image.numpy().tobytes() for image in render(images, torch.arange(162), "crop4+flip")}) == 162


def test_the_middle_crop_is_the_image() -> None:
    images = some_images(5, (3, 32, 32))
    assert torch.equal(render(images, torch.full((5,), 4 * 9 + 4), "crop4"), images)
    assert torch.equal(render(images, torch.full((5,), (4 * 9 + 4) * 2 + 1), "crop4+flip"), images.flip(3))


def test_channels_last_images_are_rendered_alike() -> None:
    images, views = some_images(162, (3, 32, 32)), torch.arange(162)
    other = images.contiguous(memory_format=torch.channels_last)
    assert torch.equal(render(other, views, "crop4+flip"), render(images, views, "crop4+flip"))


def test_unknown_augment_gets_one_line() -> None:
    with pytest.raises(InputError, match=r"augment: unknown name 'crop' \(did you mean 'crop4'\?\); allowed: none, "):
        render(some_images(1, (1, 8, 8)), torch.zeros(1, dtype=torch.int64), "crop")


@pytest.mark.parametrize("name", DATASETS)
def test_normalise_is_torchvisions_bit_for_bit(name: str) -> None:
    images = some_images(8, DATASETS[name].shape)
    for mean, std in DATASETS[name].normalizations.values():
        expected = functional.normalize(images.to(torch.float32).div(255), list(mean), list(std))
        plain = normalise(images, mean, std)
        last = normalise(images, mean, std, channels_last=True)
        assert plain.dtype == torch.float32
        assert torch.equal(plain, expected)
        assert torch.equal(last, expected)
        assert plain.is_contiguous()
        assert last.is_contiguous(memory_format=torch.channels_last)


def test_normalise_after_inference_mode_can_be_trained_on() -> None:
    """Its constants are kept: made first while evaluating, they must still serve a training step."""
    images, numbers = some_images(2, (1, 8, 8)), ((0.123,), (0.456,))
    with torch.inference_mode():
        normalise(images, *numbers)
    layer = torch.nn.Conv2d(1, 1, 1)
    layer(normalise(images, *numbers) * layer.weight).sum().backward()
    assert layer.weight.grad is not None
