"""What a sweep asks becomes cells and runs: each once, none that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from kd_trainable.tuning.space import Between, Space
from kd_trainable.vocabulary import InputError

FIXED = {"dataset": "digits", "student": "digits_mlp"}


def space(*blocks: dict[str, Any], **further: Any) -> Space:
    return Space(FIXED, blocks or ({},), **further)


class TestCells:
    def test_a_block_is_the_product_of_its_lists(self) -> None:
        cells = space({"temperature": [1, 4], "alpha": [0.5, 0.9]}).cells()
        assert [(c["temperature"], c["alpha"]) for c in cells] == [(1, 0.5), (1, 0.9), (4, 0.5), (4, 0.9)]

    def test_blocks_add_up_and_a_cell_of_two_blocks_is_one(self) -> None:
        cells = space({"temperature": [1, 4]}, {"temperature": [4.0], "alpha": [0.9, 0.5]}).cells()
        assert len(cells) == 3  # alpha 0.9 is the default, so (4, 0.9) was there already

    def test_cells_that_differ_only_in_what_cannot_matter_are_one(self) -> None:
        cells = space({"mode": ["kl", "logit_mse"], "temperature": [1, 4]}).cells()
        assert [(c["mode"], c["temperature"]) for c in cells] == [("kl", 1), ("kl", 4), ("logit_mse", 1)]

    def test_without_blocks_there_is_one_cell(self) -> None:
        assert space().cells() == [{}]

    def test_a_grid_cannot_walk_a_range(self) -> None:
        with pytest.raises(InputError, match=r"searcher: grid cannot walk a range .* random or optuna"):
            space({"temperature": Between(1, 8)}).cells()


class TestRuns:
    def test_seed_by_seed_so_that_a_part_covers_every_cell(self) -> None:
        asked = space({"temperature": [1, 4]}, seeds=[3, 5])
        assert [(r.seed, r.temperature) for r in asked.runs(asked.cells())] == [(3, 1), (3, 4), (5, 1), (5, 4)]

    def test_one_baseline_for_all_cells_that_share_it(self) -> None:
        asked = space({"temperature": [1, 4], "mode": ["kl", "mse"], "lr": [0.1, 0.01]})
        baselines = [asked.spec(cell, 0) for cell in asked.baseline_cells(asked.cells())]
        assert [(b.method, b.lr) for b in baselines] == [("none", 0.1), ("none", 0.01)]

    def test_no_baselines_where_none_are_asked_for(self) -> None:
        asked = space({"temperature": [1, 4]}, baselines=False)
        assert asked.baseline_cells(asked.cells()) == []

    def test_values_are_those_of_all_blocks_and_of_blocks_that_leave_the_field_as_it_is(self) -> None:
        asked = space({"augment": ["none", "flip"]}, {"alpha": [0.5, 0.9]})
        assert asked.values("augment") == ["none", "flip", "crop4+flip"]
        assert asked.values("student") == ["digits_mlp"]


class TestRefused:
    @pytest.mark.parametrize(
        ("block", "said"),
        [
            ({"temperature": []}, "temperature: empty; give at least one value"),
            ({"temperature": [1, 4, 1.0]}, "temperature: 1 is given more than once; give each value once"),
            ({"mode": ["kl", "mse", "kl"]}, "mode: kl is given more than once; give each value once"),
            ({"temperature": [1, 0]}, "temperature: 0 is not allowed; must be > 0"),
            ({"alpha": [0.5, float("nan")]}, "alpha: nan is not allowed; must be >= 0"),
            ({"temprature": [1]}, "temprature: no such field (did you mean 'temperature'?)"),
            ({"seed": [0, 1]}, "seed: cannot be swept; seeds are replicates; give them as seeds"),
            ({"epochs": [1, 2]}, "epochs: cannot be swept; a table shows one budget"),
            ({"dataset": ["digits", "cifar10"]}, "dataset: cannot be swept; one data set a sweep"),
            ({"protocol": ["holdout", "published"]}, "protocol: cannot be swept; a table shows one protocol"),
            ({"temperature": Between(4, 1)}, "temperature: 4:1 is not allowed; a range is LOW:HIGH with LOW < HIGH"),
            ({"temperature": Between(1, float("inf"))}, "temperature: 1:inf is not allowed"),
            ({"temperature": Between(0, 4)}, "temperature: 0 is not allowed; must be > 0"),
            ({"alpha": Between(0, 1, True)}, "alpha: 0:1:log is not allowed; a range in the logarithm needs LOW > 0"),
            ({"alpha": Between(0.5, 1.5)}, "alpha: 1.5 is not allowed; must be in [0, 1] for convention hinton"),
            ({"batch_size": Between(16, 64)}, "batch_size: 16:64 is not allowed; a range needs a field that is a"),
            ({"mode": Between(0, 1)}, "mode: 0:1 is not allowed; a range needs a field that is a number"),
        ],
    )
    def test_a_value_that_cannot_be(self, block: dict[str, Any], said: str) -> None:
        with pytest.raises(InputError) as refusal:
            space(block)
        assert str(refusal.value).startswith(said)

    def test_one_bad_corner_of_a_product(self) -> None:
        with pytest.raises(InputError, match="alpha: 2 is not allowed"):
            space({"alpha": [0.5, 2], "convention": ["additive", "hinton"]})
        assert len(space({"alpha": [0.5, 2], "convention": ["additive", "hard_lambda"]}).cells()) == 4

    @pytest.mark.parametrize(
        ("seeds", "said"),
        [
            ([], "seeds: empty"),
            ([0, 1, 0], "seeds: 0 is given more than once"),
            ([0, -1], "seed: -1 is not allowed; must be a whole number >= 0"),
        ],
    )
    def test_seeds(self, seeds: list[Any], said: str) -> None:
        with pytest.raises(InputError) as refusal:
            space(seeds=seeds)
        assert str(refusal.value).startswith(said)

    def test_a_fixed_seed_would_be_ignored(self) -> None:
        with pytest.raises(InputError, match=r"seed: 3 is not allowed; give seeds, a list"):
            Space({**FIXED, "seed": 3})

    def test_no_block_at_all(self) -> None:
        with pytest.raises(InputError, match=r"grid: empty; give at least one cell"):
            Space(FIXED, [])
