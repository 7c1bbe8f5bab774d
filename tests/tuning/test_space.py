"""What a sweep asks becomes cells and runs: each once, none that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from kd_trainable.tuning.space import Between, Space, identity
from kd_trainable.vocabulary import InputError, Pixels

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


class TestHyperparameters:
    def test_a_methods_hyperparameter_is_swept_by_name(self) -> None:
        asked = space({"method": ["kd+pkt"], "pkt.weight": [1, 30000, 5]})
        given = [asked.spec(cell, 0) for cell in asked.cells()]
        assert [spec.term_weight("pkt", 0) for spec in given] == [1, 30000, 5]
        assert len({identity(spec) for spec in given}) == 3

    def test_methods_that_lack_it_do_without(self) -> None:
        asked = space({"method": ["pkt", "rkd", "kd"], "pkt.weight": [1, 2]})
        given = [asked.spec(cell, 0) for cell in asked.cells()]
        assert [(spec.method, dict(spec.hyperparameters)) for spec in given] == [
            ("pkt", {"pkt.weight": 1.0}), ("pkt", {"pkt.weight": 2.0}), ("rkd", {}), ("kd", {}),
        ]  # fmt: skip

    def test_fixed_ones_too_and_those_of_a_method_of_ones_own(self) -> None:
        asked = Space(
            {**FIXED, "hyperparameters": {"gain": 2}, "rkd.angle": 3}, [{"method": ["kd", "mine:loss", "rkd"]}]
        )
        given = [dict(asked.spec(cell, 0).hyperparameters) for cell in asked.cells()]
        assert given == [{}, {"gain": 2.0}, {"rkd.angle": 3.0}]

    def test_taps_are_those_of_the_methods_that_compare_features(self) -> None:
        asked = Space({**FIXED, "taps": ["pkt=a:b", "c"]}, [{"method": ["kd", "pkt", "rkd"]}])
        assert [asked.spec(cell, 0).live for cell in asked.cells()] == [False, True, True]
        assert [asked.spec(cell, 0).taps for cell in asked.cells()] == [("c",), ("pkt=a:b", "c"), ("c",)]

    @pytest.mark.parametrize(
        ("fixed", "block", "said"),
        [
            ({}, {"at.weight": [1, 2]}, "hyperparameters: 'at.weight' is not allowed; at is no method of this sweep"),
            ({"at.weight": 3}, {}, "hyperparameters: 'at.weight' is not allowed; at is no method of this sweep"),
            ({}, {"hyperparameters": [{"at.weight": 3}]}, "hyperparameters: 'at.weight' is not allowed; at is no"),
            ({"hyperparameters": {"gain": 2}}, {}, "hyperparameters: 'gain' is not allowed; method kd has none"),
            ({"hyperparameters": [1]}, {}, "hyperparameters: .* is not allowed; must be a mapping"),
            (
                {"method": "at"},
                {"at.wieght": [1]},
                r"hyperparameters: unknown name 'at.wieght' \(did you mean 'at.weight'",
            ),
            ({"taps": ["at=a"]}, {}, "taps: 'at=a' is not allowed; at is no method of this sweep"),
            ({"method": "ofd"}, {"ofd.teacher_train": Between(0, 1)}, "it is 0 or 1, which are listed"),
            ({"method": "rkd"}, {"rkd.weight": Between(-1, 1)}, "rkd.weight=-1 is not allowed; must be >= 0"),
        ],
    )
    def test_refused(self, fixed: dict[str, Any], block: dict[str, Any], said: str) -> None:
        with pytest.raises(InputError, match=said):
            Space({**FIXED, **fixed}, [block])


class TestSchedulesSweptTogether:
    def test_each_takes_what_is_its_own(self) -> None:
        fixed = {**FIXED, "milestones": [3], "warmup_epochs": 2}
        asked = Space(fixed, [{"schedule": ["multistep", "cosine", "one_cycle"]}])
        given = [asked.spec(cell, 0) for cell in asked.cells()]
        assert [spec.milestones for spec in given] == [(3,), (), ()]
        assert [spec.warmup_epochs for spec in given] == [2, 2, 0]


class TestIdle:
    def test_what_several_values_of_nobody_reads_is_named(self) -> None:
        assert space({"rho": [0.5, 0.9], "step_epochs": [3, 5], "alpha": [0.1, 0.5]}).idle() == ["rho", "step_epochs"]
        assert space({"rho": [0.5, 0.9], "optimizer": ["sgd", "adadelta"]}).idle() == []


class TestPixels:
    def test_kept_logits_are_those_of_every_look_that_a_taught_run_has(self) -> None:
        asked = space({"method": ["kd", "dml", "pkt"], "mixup": [0, 0.2]}, {"augment": ["flip"]})
        assert asked.kept_pixels() == [Pixels(), Pixels(mixup=0.2), Pixels("flip")]
        assert space({"method": ["dml", "pkt"]}).kept_pixels() == []

    def test_a_range_of_looks_is_kept_by_nobody(self) -> None:
        assert space({"mixup": Between(0, 1)}).kept_pixels() == []


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
