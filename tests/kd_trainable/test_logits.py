"""Kept logits equal the live teacher, and are found by their own stream alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kd_trainable import logits, shards
from kd_trainable.data import VIEWS
from kd_trainable.data.inputs import Inputs
from kd_trainable.data.pixels import Looks
from kd_trainable.data.stream import epoch_order, epoch_views
from kd_trainable.models.build import build
from kd_trainable.shards import Shard
from kd_trainable.teacher import Card
from kd_trainable.vocabulary import Pixels

SEED, EPOCH = 3, 7
HALF = 2.0**-11  # float16's rounding, relative
PLAIN = Pixels("none")
TRICKS = [
    Pixels("none", random_erasing=0.5),
    Pixels("flip", cutout=4),
    Pixels("crop4+flip", mixup=0.4),
    Pixels("crop4+flip", 0.5, 3, 0.4),
]


def teacher() -> nn.Module:
    torch.manual_seed(1)
    module = build("tiny:conv", tiny.CLASSES, 1).train()
    for _ in range(3):
        module(torch.randn(64, 1, 8, 8))
    return module.eval()


def naive_view(image: Tensor, view: int, augment: str) -> Tensor:
    """One image [C, H, W] in one view, written as DESIGN.md describes the views."""
    flipped = view % 2 == 1 if "flip" in augment else False
    if "crop4" in augment:
        crop = view // 2 if "flip" in augment else view
        top, left = crop // 9, crop % 9
        image = F.pad(image, (4, 4, 4, 4))[:, top : top + 8, left : left + 8]
    return image.flip(-1) if flipped else image


def live(module: nn.Module, inputs: Inputs, views: Sequence[int] | np.ndarray, augment: str) -> np.ndarray:
    """The teacher asked about every training image, one by one."""
    rows = []
    for row, view in zip(inputs.train, views, strict=True):
        image = naive_view(inputs.images[row], int(view), augment)
        with torch.no_grad():
            rows.append(module((image[None].float() / 255 - 0.5) / 0.25)[0])
    return torch.stack(rows).numpy()


def assert_close(kept: np.ndarray, wanted: np.ndarray) -> None:
    assert kept.dtype == np.float16
    np.testing.assert_allclose(kept.astype(np.float32), wanted, rtol=1.01 * HALF, atol=5e-6)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("augment", VIEWS)
def test_kept_logits_equal_the_live_teacher(augment: str, channels_last: bool) -> None:
    """By the shard of a stream, and gathered from the full table of views; 180 images are more than one batch."""
    module, inputs = teacher(), tiny.inputs(channels_last=channels_last)
    wanted = live(module, inputs, epoch_views(SEED, EPOCH, len(inputs.train), VIEWS[augment]), augment)
    pixels = Pixels(augment)
    for table in (False, True):
        made = {
            shard: logits.compute(module, inputs, pixels, shard)
            for shard in shards.shards_of(SEED, EPOCH, pixels, table)
        }
        assert len(made) == (VIEWS[augment] if table else 1)
        assert_close(logits.of_epoch(made, SEED, EPOCH, pixels, table).numpy(), wanted)


@pytest.mark.parametrize("pixels", [Pixels(), *TRICKS])
def test_a_step_of_training_reads_the_logits_of_its_own_pixels(pixels: Pixels) -> None:
    """What a run shows its student in an epoch, in its own order and batches, is what the teacher was shown for it."""
    module, inputs, shard = teacher(), tiny.inputs(), Shard(SEED, EPOCH)
    assert shards.shards_of(SEED, EPOCH, pixels, table=False) == [shard]
    kept = logits.of_epoch({shard: logits.compute(module, inputs, pixels, shard)}, SEED, EPOCH, pixels, table=False)
    looks = Looks.of(SEED, EPOCH, inputs, pixels)
    for indices in torch.from_numpy(epoch_order(SEED, EPOCH, 180)).split(32):
        with torch.no_grad():
            found = module(inputs.training_pixels(indices, looks))
        assert_close(kept[indices].numpy(), found.numpy())


@pytest.mark.parametrize("pixels", TRICKS)
def test_a_view_of_a_table_is_not_computed_with_tricks(pixels: Pixels) -> None:
    with pytest.raises(ValueError, match="has looks beyond its views"):
        logits.compute(teacher(), tiny.inputs(), pixels, Shard(view=0))


def test_every_batch_of_a_pass_is_heard_of() -> None:
    beats: list[int] = []
    logits.compute(teacher(), tiny.inputs(train=1000), PLAIN, Shard(0, 0), lambda: beats.append(1))
    assert len(beats) == 8  # 900 images in batches of 125


@pytest.mark.parametrize("value", [70_000.0, -70_000.0, float("nan"), float("inf")])
def test_logits_that_float16_cannot_hold_are_refused(value: float) -> None:
    class Loud(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            found = torch.zeros(len(images), 4)
            found[-1, 2] = value
            return found

    with pytest.raises(ValueError, match="not finite or exceed float16"):
        logits.compute(Loud(), tiny.inputs(), PLAIN, Shard(0, 0))


# Where they lie.


def card(**changes: object) -> Card:
    base = Card("tiny:conv", "tiny", "d" * 64, 4, 1, "dataset", (0.5,), (0.25,), "f" * 64)
    return replace(base, **changes)  # type: ignore[arg-type]


def folder(of: Card | None = None, data: str = "data", protocol: str = "holdout", **pixels: object) -> str:
    return logits.folder_name(of or card(), data, protocol, Pixels(**{"augment": "flip", **pixels}))  # type: ignore[arg-type]


def test_shards_of_anything_else_lie_elsewhere() -> None:
    folders = [
        folder(),
        folder(card(fingerprint="e" * 64)),
        folder(card(architecture="tiny:mlp")),
        folder(card(mean=(0.4,))),
        folder(card(std=(0.2,))),
        folder(data="other"),
        folder(protocol="published"),
        folder(augment="crop4"),
        folder(random_erasing=0.5),
        folder(random_erasing=0.25),
        folder(cutout=8),
        folder(mixup=0.5),
        folder(random_erasing=0.5, mixup=0.5),
    ]
    assert len(set(folders)) == len(folders)


@pytest.mark.parametrize(
    ("augment", "name"),
    [
        ("none", "5f06625155f30652"),
        ("flip", "119017a34c4e1776"),
        ("crop4", "9cf06d7045bdc695"),
        ("crop4+flip", "dbc525a64493530c"),
    ],
)
def test_shards_from_before_there_were_tricks_are_still_found(augment: str, name: str) -> None:
    """The names were made by the code of version 0.1.0, which knew of augmentations alone."""
    assert folder(augment=augment) == name


@pytest.mark.parametrize("version", ["STREAM_VERSION", "LOGITS_VERSION"])
def test_shards_of_another_version_lie_elsewhere(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = folder()
    monkeypatch.setattr(logits, version, 99)
    assert folder() != before


def test_what_is_no_property_of_the_logits_does_not_move_them() -> None:
    """A card whose accuracy was measured anew still finds its shards."""
    assert folder(card(test_accuracy=0.5, recipe={"lr": 1}, normalization="renamed", sha256="a")) == folder()


# Their check.


@pytest.mark.parametrize("pixels", [*map(Pixels, VIEWS), *TRICKS])
def test_a_right_shard_agrees_with_a_live_forward(pixels: Pixels) -> None:
    module, inputs = teacher(), tiny.inputs()
    for shard in (Shard(SEED, EPOCH), *([Shard(view=VIEWS[pixels.augment] - 1)] if pixels.finite else [])):
        kept = logits.compute(module, inputs, pixels, shard)
        assert logits.disagreement(module, inputs, pixels, shard, kept) <= 1.0


def test_a_shard_of_other_tricks_is_seen_to_disagree() -> None:
    module, inputs, shard = teacher(), tiny.inputs(), Shard(SEED, EPOCH)
    for pixels in TRICKS:
        right = logits.compute(module, inputs, pixels, shard)
        assert logits.disagreement(module, inputs, Pixels(pixels.augment), shard, right) > 20


def test_another_epochs_view_or_teacher_is_seen_to_disagree() -> None:
    module, inputs, pixels = teacher(), tiny.inputs(), Pixels()
    right = logits.compute(module, inputs, pixels, Shard(SEED, EPOCH))
    for other in (Shard(SEED, EPOCH + 1), Shard(SEED + 1, EPOCH), Shard(view=0)):
        assert logits.disagreement(module, inputs, pixels, other, right) > 20
    with torch.no_grad():
        module[0].weight += 0.01  # type: ignore[index]
    assert logits.disagreement(module, inputs, pixels, Shard(SEED, EPOCH), right) > 3


def test_a_teacher_that_is_sure_of_zero_is_not_held_against_it() -> None:
    """Near zero float16 is finer than a float32 forward is exact, batch size by batch size."""

    class Tilted(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            noise = 1e-6 * len(images)
            return torch.tensor([8.0, noise, -2.0, noise / 3]).repeat(len(images), 1)

    inputs = tiny.inputs()
    kept = logits.compute(Tilted(), inputs, PLAIN, Shard(0, 0))
    assert logits.disagreement(Tilted(), inputs, PLAIN, Shard(0, 0), kept) <= 1.0
