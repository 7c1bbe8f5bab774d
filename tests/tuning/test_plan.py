"""What a sweep would run, what of it is done, and what its teacher costs: from names and files alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kd_trainable.data import DATASETS
from kd_trainable.tuning.facts import facts
from kd_trainable.tuning.plan import (
    Names,
    Passes,
    check_against_data,
    counts_as_done,
    grid_runs,
    require_name,
    results_of,
    teacher_recipe,
)
from kd_trainable.tuning.run_folder import RunFolder
from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.space import Between, Space
from kd_trainable.tuning.standing import Standing, passes_with_kept
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError

FIXED = {"dataset": "digits", "student": "digits_mlp", "epochs": 5}
NAMES = Names("data", "teacher")


def space(block: dict[str, Any], seeds: tuple[int, ...] = (0,), **fixed: Any) -> Space:
    return Space({**FIXED, **fixed}, [block], seeds)


class TestDone:
    @pytest.mark.parametrize(
        ("found", "scheduler", "done"),
        [
            (None, "none", False),
            ({"status": "finished"}, "none", True),
            ({"status": "finished"}, "asha", True),
            ({"status": "stopped"}, "none", False),
            ({"status": "stopped"}, "asha", True),
            ({"status": "failed", "error_kind": "numbers"}, "none", True),
            ({"status": "failed", "error_kind": "exception"}, "none", False),
            ({"status": "lost"}, "none", False),
        ],
    )
    def test_what_need_not_be_run_again(self, found: Any, scheduler: str, done: bool) -> None:
        assert counts_as_done(found, scheduler) is done

    def test_results_are_found_by_the_names_of_runs(self, tmp_path: Path) -> None:
        storage, runs = Storage(str(tmp_path)), grid_runs(space({"temperature": [1, 4]}), NAMES)
        folder = RunFolder(storage, list(runs)[1])
        folder.claim()
        folder.finish({"status": "finished"}, None)
        assert results_of(storage, runs) == {list(runs)[1]: {"status": "finished"}}

    def test_baselines_have_one_name_under_every_teacher_and_distilled_runs_another(self) -> None:
        asked = space({"temperature": [1, 4]})
        here, there = (list(grid_runs(asked, Names("data", teacher))) for teacher in ("one", "another"))
        assert [a == b for a, b in zip(here, there, strict=True)] == [True, False, False]


class TestPasses:
    def count(
        self, tmp_path: Path, block: dict[str, Any], seeds: tuple[int, ...] = (0,), **fixed: Any
    ) -> tuple[int, int]:
        asked = space(block, seeds, **fixed)
        standing = Standing(Storage(str(tmp_path)), NAMES, DATASETS["digits"], None, None)
        passes = passes_with_kept(asked, list(grid_runs(asked, NAMES).values()), standing)
        assert passes.kept == 0
        return passes.needed, passes.usual

    def test_eighteen_cells_of_five_epochs_cost_five_passes_not_ninety(self, tmp_path: Path) -> None:
        assert self.count(tmp_path, {"temperature": list(range(1, 10)), "alpha": [0.5, 0.9]}) == (5, 90)

    def test_each_seed_has_a_stream_of_its_own(self, tmp_path: Path) -> None:
        assert self.count(tmp_path, {"temperature": [1, 4]}, seeds=(0, 1)) == (10, 20)

    def test_no_more_passes_than_an_augmentation_has_views(self, tmp_path: Path) -> None:
        assert self.count(tmp_path, {"temperature": [1, 4]}, augment="none") == (1, 10)
        assert self.count(tmp_path, {"temperature": [1, 4]}, augment="flip") == (2, 10)
        assert self.count(tmp_path, {"temperature": [1, 4]}, seeds=tuple(range(40))) == (162, 400)

    def test_each_augmentation_has_its_own(self, tmp_path: Path) -> None:
        assert self.count(tmp_path, {"augment": ["none", "crop4+flip"]}) == (6, 10)

    def test_baselines_need_none(self, tmp_path: Path) -> None:
        assert self.count(tmp_path, {"lr": [0.1, 0.01]}, method="none") == (0, 0)

    def test_the_line_for_people(self) -> None:
        assert Passes(5, 90).line() == "teacher passes over the training images: 5, not 90"
        assert Passes(5, 10, 3).line() == "teacher passes over the training images: 5 (3 of them kept already), not 10"
        live = "teacher passes over the training images: 6 (2 by teachers that run live, for their features), not 10"
        assert Passes(6, 10, live=2).line() == live


class TestTeacherRecipe:
    def test_it_shares_data_protocol_and_normalization_with_the_sweep(self) -> None:
        asked = Space({"student": "conv4", "protocol": "published", "normalization": "per_image"})
        recipe = teacher_recipe(asked, Settings(teacher_recipe={"student": "vgg16", "epochs": 7}))
        found = (recipe.dataset, recipe.protocol, recipe.normalization, recipe.student, recipe.epochs, recipe.method)
        assert found == ("cifar10", "published", "per_image", "vgg16", 7, "none")

    @pytest.mark.parametrize(
        ("recipe", "said"),
        [
            ({}, "teacher: none given; name a teacher file"),
            ({"studnet": "digits_cnn"}, "studnet: no such field (did you mean 'student'?)"),
            ({"student": "digit_cnn"}, "student: unknown name 'digit_cnn' (did you mean 'digits_cnn'?)"),
            ({"student": "digits_cnn", "epochs": 0}, "epochs: 0 is not allowed"),
        ],
    )
    def test_refused(self, recipe: dict[str, Any], said: str) -> None:
        with pytest.raises(InputError) as refusal:
            teacher_recipe(space({}), Settings(teacher_recipe=recipe))
        assert str(refusal.value).startswith(said)


class TestAgainstData:
    def test_a_batch_larger_than_an_own_data_set(self) -> None:
        asked = Space({**FIXED, "dataset": "own_parts:few_digits"}, [{"batch_size": [32, 271]}])
        with pytest.raises(InputError, match="batch_size: 271 is not allowed; own_parts:few_digits has 270 training"):
            check_against_data(asked, facts(asked.base.dataset))

    def test_a_normalization_that_an_own_data_set_lacks(self) -> None:
        for name in ("dataset", "other"):
            own = Space({**FIXED, "dataset": "own_parts:few_digits", "normalization": name})
            check_against_data(own, facts("own_parts:few_digits"))
        asked = Space({**FIXED, "dataset": "own_parts:few_digits", "normalization": "othr"})
        with pytest.raises(InputError, match=r"normalization: unknown name 'othr' \(did you mean 'other'\?\)"):
            check_against_data(asked, facts(asked.base.dataset))


class TestSettings:
    @pytest.mark.parametrize(
        ("chosen", "block", "said"),
        [
            ({"scheduler": "asha"}, {}, "scheduler: asha needs epochs >= 2 to stop anything; epochs is 1"),
            ({}, {"alpha": Between(0, 1)}, "searcher: grid cannot walk a range"),
            ({"searcher": "optuna", "num_samples": 2}, {}, "protocol: published holds no validation images out"),
        ],
    )
    def test_what_they_cannot_run(self, chosen: dict[str, Any], block: dict[str, Any], said: str) -> None:
        with pytest.raises(InputError) as refusal:
            Settings(**chosen).check(
                space(block, epochs=1, protocol="published" if "num" in str(chosen) else "holdout")
            )
        assert str(refusal.value).startswith(said)

    @pytest.mark.parametrize(
        ("protocol", "chosen", "column"),
        [
            ("holdout", {"searcher": "optuna", "num_samples": 2}, "validation_accuracy"),
            ("published", {}, "test_accuracy"),
            ("published", {"searcher": "random", "num_samples": 2}, "test_accuracy"),
            ("published", {"searcher": "optuna", "num_samples": 2, "select_on_test": True}, "test_accuracy"),
            ("published", {"scheduler": "asha", "select_on_test": True}, "test_accuracy"),
        ],
    )
    def test_what_selects(self, protocol: str, chosen: dict[str, Any], column: str) -> None:
        assert Settings(**chosen).metric(space({}, protocol=protocol)) == column

    def test_nobody_selects_on_the_test_set_without_saying_so(self) -> None:
        for chosen in ({"searcher": "optuna", "num_samples": 2}, {"scheduler": "asha"}):
            with pytest.raises(InputError, match=r"select on the test set; say --select-on-test"):
                Settings(**chosen).metric(space({}, protocol="published"))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a/b", "../a", "", ".", "..", ".hidden", "-a", "a b", "a\n"])
def test_a_name_that_is_no_folders_name(name: str) -> None:
    with pytest.raises(InputError, match=r"^name: .* is not allowed; a folder's name of letters, digits"):
        require_name(name)


@pytest.mark.parametrize("name", ["a", "cifar10_grid", "T-1.5", "größe"])
def test_a_name_that_is_one(name: str) -> None:
    require_name(name)
