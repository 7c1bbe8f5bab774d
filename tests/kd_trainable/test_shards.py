"""Shards cost as few passes as they can, and their files are read whole or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from kd_trainable import shards
from kd_trainable.data import VIEWS
from kd_trainable.shards import Shard
from kd_trainable.vocabulary import Pixels

TRICKS = [Pixels("none", random_erasing=0.5), Pixels("flip", cutout=4), Pixels("crop4+flip", mixup=0.4)]


def test_eighteen_cells_of_five_epochs_cost_five_passes() -> None:
    assert shards.passes([0], 5, Pixels())[0] == [Shard(0, epoch) for epoch in range(5)]


def test_passes_come_in_the_order_in_which_runs_need_them() -> None:
    assert shards.passes([4, 2], 2, Pixels())[0] == [Shard(4, 0), Shard(2, 0), Shard(4, 1), Shard(2, 1)]


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
    pixels = Pixels(augment)
    needed, _ = shards.passes(range(seeds), epochs, pixels)
    assert len(needed) == len(set(needed)) == passes
    table = shards.uses_table(range(seeds), epochs, pixels)
    assert table == (seeds * epochs >= VIEWS[augment])
    read = {s for seed in range(seeds) for epoch in range(epochs) for s in shards.shards_of(seed, epoch, pixels, table)}
    assert read == set(needed)
    assert len({shard.file for shard in needed}) == passes


@pytest.mark.parametrize("pixels", TRICKS)
def test_tricks_have_no_table_however_long_the_sweep(pixels: Pixels) -> None:
    """An image has no end of looks then, so that every epoch costs its pass; files of views are none of theirs."""
    there = {Shard(view=view).file for view in range(162)}
    needed, table = shards.passes([0, 1], 200, pixels, there)
    assert not table
    assert needed == [Shard(seed, epoch) for epoch in range(200) for seed in (0, 1)]
    assert not shards.uses_table([0, 1], 200, pixels)


def test_a_kept_table_serves_a_shorter_sweep() -> None:
    """After the table of views is made, no pass is ever needed again."""
    table = [Shard(view=view) for view in range(VIEWS["crop4"])]
    there = {shard.file for shard in table}
    assert shards.passes([0], 3, Pixels("crop4"), there) == (table, True)
    assert shards.passes([0], 3, Pixels("crop4"), there - {table[7].file}) == (
        [Shard(0, epoch) for epoch in range(3)],
        False,
    )


# Their files.


def test_a_shards_file_reads_as_it_was_written() -> None:
    kept = np.random.default_rng(0).normal(size=(180, 4)).astype(np.float16)
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
