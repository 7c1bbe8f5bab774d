"""Kept logits equal the live teacher, are found by their own stream alone, and cost as few passes as they can."""

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
from kd_trainable.data.stream import epoch_views
from kd_trainable.models.build import build
from kd_trainable.shards import Shard
from kd_trainable.teacher import Card

SEED, EPOCH = 3, 7
HALF = 2.0**-11  # float16's rounding, relative


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
    for table in (False, True):
        made = {
            shard: logits.compute(module, inputs, augment, shard)
            for shard in shards.shards_of(SEED, EPOCH, augment, table)
        }
        assert len(made) == (VIEWS[augment] if table else 1)
        assert_close(logits.of_epoch(made, SEED, EPOCH, augment, table).numpy(), wanted)


def test_a_step_of_training_reads_the_logits_of_its_own_pixels() -> None:
    """What a run shows its student in an epoch is what the teacher was shown for it."""
    module, inputs, augment = teacher(), tiny.inputs(), "crop4+flip"
    kept = logits.compute(module, inputs, augment, Shard(SEED, EPOCH))
    views = torch.from_numpy(epoch_views(SEED, EPOCH, len(inputs.train), VIEWS[augment]))
    indices = torch.tensor([5, 170, 0, 99])
    with torch.no_grad():
        found = module(inputs.training_pixels(indices, views[indices], augment))
    assert_close(kept[indices], found.numpy())


def test_every_batch_of_a_pass_is_heard_of() -> None:
    beats: list[int] = []
    logits.compute(teacher(), tiny.inputs(train=1000), "none", Shard(0, 0), lambda: beats.append(1))
    assert len(beats) == 8  # 900 images in batches of 125


@pytest.mark.parametrize("value", [70_000.0, -70_000.0, float("nan"), float("inf")])
def test_logits_that_float16_cannot_hold_are_refused(value: float) -> None:
    class Loud(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            found = torch.zeros(len(images), 4)
            found[-1, 2] = value
            return found

    with pytest.raises(ValueError, match="not finite or exceed float16"):
        logits.compute(Loud(), tiny.inputs(), "none", Shard(0, 0))


# How many passes.


def test_eighteen_cells_of_five_epochs_cost_five_passes() -> None:
    assert shards.passes([0], 5, "crop4+flip")[0] == [Shard(0, epoch) for epoch in range(5)]


def test_passes_come_in_the_order_in_which_runs_need_them() -> None:
    assert shards.passes([4, 2], 2, "crop4+flip")[0] == [Shard(4, 0), Shard(2, 0), Shard(4, 1), Shard(2, 1)]


@pytest.mark.parametrize(
    ("seeds", "epochs", "augment", "passes"),
    [
        (1, 30, "none", 1),
        (1, 1, "flip", 1),
        (1, 2, "flip", 2),
        (3, 30, "flip", 2),
        (2, 40, "crop4", 80),
        (3, 27, "crop4", 81),
        (3, 60, "crop4", 81),
        (1, 161, "crop4+flip", 161),
        (2, 81, "crop4+flip", 162),
        (5, 200, "crop4+flip", 162),
    ],
)
def test_no_more_passes_are_made_than_an_image_has_views(seeds: int, epochs: int, augment: str, passes: int) -> None:
    needed, _ = shards.passes(range(seeds), epochs, augment)
    assert len(needed) == len(set(needed)) == passes
    table = shards.uses_table(range(seeds), epochs, augment)
    assert table == (seeds * epochs >= VIEWS[augment])
    read = {
        s for seed in range(seeds) for epoch in range(epochs) for s in shards.shards_of(seed, epoch, augment, table)
    }
    assert read == set(needed)
    assert len({shard.file for shard in needed}) == passes


# Where they lie.


def card(**changes: object) -> Card:
    base = Card("tiny:conv", "tiny", "d" * 64, 4, 1, "dataset", (0.5,), (0.25,), "f" * 64)
    return replace(base, **changes)  # type: ignore[arg-type]


def test_shards_of_anything_else_lie_elsewhere() -> None:
    folders = [
        logits.folder_name(card(), "data", "holdout", "flip"),
        logits.folder_name(card(fingerprint="e" * 64), "data", "holdout", "flip"),
        logits.folder_name(card(architecture="tiny:mlp"), "data", "holdout", "flip"),
        logits.folder_name(card(mean=(0.4,)), "data", "holdout", "flip"),
        logits.folder_name(card(std=(0.2,)), "data", "holdout", "flip"),
        logits.folder_name(card(), "other", "holdout", "flip"),
        logits.folder_name(card(), "data", "published", "flip"),
        logits.folder_name(card(), "data", "holdout", "crop4"),
    ]
    assert len(set(folders)) == len(folders)


@pytest.mark.parametrize("version", ["STREAM_VERSION", "LOGITS_VERSION"])
def test_shards_of_another_version_lie_elsewhere(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = logits.folder_name(card(), "data", "holdout", "flip")
    monkeypatch.setattr(logits, version, 99)
    assert logits.folder_name(card(), "data", "holdout", "flip") != before


def test_what_is_no_property_of_the_logits_does_not_move_them() -> None:
    """A card whose accuracy was measured anew still finds its shards."""
    moved = card(test_accuracy=0.5, recipe={"lr": 1}, normalization="renamed", sha256="a")
    assert logits.folder_name(moved, "d", "holdout", "flip") == logits.folder_name(card(), "d", "holdout", "flip")


# Their files, and their check.


def test_a_shards_file_reads_as_it_was_written() -> None:
    kept = logits.compute(teacher(), tiny.inputs(), "none", Shard(0, 0))
    found = shards.decode(shards.encode(kept))
    assert found.dtype == np.float16
    assert np.array_equal(found, kept)


def test_a_shards_file_that_is_not_whole_is_refused() -> None:
    content = shards.encode(np.ones((50, 4), np.float16))
    for length in range(len(content)):
        with pytest.raises(ValueError, match="not a whole shard"):
            shards.decode(content[:length])


def test_a_shards_file_with_a_changed_header_is_refused_or_reads_the_same() -> None:
    kept = np.arange(200, dtype=np.float16).reshape(50, 4)
    content = shards.encode(kept)
    refused = 0
    for place in range(128):
        changed = bytearray(content)
        changed[place] ^= 1
        try:
            assert np.array_equal(shards.decode(bytes(changed)), kept)
        except ValueError:
            refused += 1
    assert refused > 40


@pytest.mark.parametrize("array", [np.ones((3, 4), np.float32), np.ones(4, np.float16), np.array(1.0)])
def test_a_file_that_is_no_shard_is_refused(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not a shard"):
        shards.decode(shards.encode(array))


@pytest.mark.parametrize("augment", VIEWS)
def test_a_right_shard_agrees_with_a_live_forward(augment: str) -> None:
    module, inputs = teacher(), tiny.inputs()
    for shard in (Shard(SEED, EPOCH), Shard(view=VIEWS[augment] - 1)):
        kept = logits.compute(module, inputs, augment, shard)
        assert logits.disagreement(module, inputs, augment, shard, kept) <= 1.0


def test_another_epochs_view_or_teacher_is_seen_to_disagree() -> None:
    module, inputs, augment = teacher(), tiny.inputs(), "crop4+flip"
    right = logits.compute(module, inputs, augment, Shard(SEED, EPOCH))
    for other in (Shard(SEED, EPOCH + 1), Shard(SEED + 1, EPOCH), Shard(view=0)):
        assert logits.disagreement(module, inputs, augment, other, right) > 20
    with torch.no_grad():
        module[0].weight += 0.01  # type: ignore[index]
    assert logits.disagreement(module, inputs, augment, Shard(SEED, EPOCH), right) > 3


def test_a_teacher_that_is_sure_of_zero_is_not_held_against_it() -> None:
    """Near zero float16 is finer than a float32 forward is exact, batch size by batch size."""

    class Tilted(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            noise = 1e-6 * len(images)
            return torch.tensor([8.0, noise, -2.0, noise / 3]).repeat(len(images), 1)

    inputs = tiny.inputs()
    kept = logits.compute(Tilted(), inputs, "none", Shard(0, 0))
    assert logits.disagreement(Tilted(), inputs, "none", Shard(0, 0), kept) <= 1.0


def test_a_kept_table_serves_a_shorter_sweep() -> None:
    """After the table of views is made, no pass is ever needed again."""
    table = [Shard(view=view) for view in range(VIEWS["crop4"])]
    there = {shard.file for shard in table}
    assert shards.passes([0], 3, "crop4", there) == (table, True)
    assert shards.passes([0], 3, "crop4", there - {table[7].file}) == ([Shard(0, epoch) for epoch in range(3)], False)
