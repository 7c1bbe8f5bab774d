"""Searchers: what is drawn, what TPE is told, and that the same command goes on where the last one was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from kd_trainable.tuning.searchers import Listed, Outcome, Tpe, draw_random, mean_outcome, study_key
from kd_trainable.tuning.space import Between, Space, identity
from kd_trainable.tuning.study import mend

FIXED = {"dataset": "digits", "student": "digits_mlp"}
RANGES = {"temperature": Between(1, 16, True), "alpha": Between(0, 1), "mode": ["kl", "mse"]}
GRID = {"temperature": [1, 2, 4], "alpha": [0.5, 0.9]}
METHODS = {"method": ["kd", "at"]}


def space(*blocks: dict[str, Any], seeds: tuple[int, ...] = (0,)) -> Space:
    return Space(FIXED, blocks, seeds)


def tpe(folder: Path, samples: int, of: Space | None = None) -> Tpe:
    return Tpe(of or space(RANGES), samples, folder / "study.journal", "key")


def trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    """What the journal says of the cells, read anew."""
    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    study = optuna.load_study(study_name="key", storage=storage)
    return [trial for trial in study.get_trials() if "cell" in trial.user_attrs]


def walked(proposer: Tpe, most: int = 100) -> list[dict[str, Any]]:
    """All cells that it proposes, each told as complete."""
    cells = []
    while (asked := proposer.ask()) is not None and len(cells) < most:
        cells.append(dict(asked[1]))
        proposer.tell(asked[0], Outcome("complete", len(cells) / 100))
    return cells


class TestRandom:
    def test_a_draw_is_the_beginning_of_every_longer_one(self) -> None:
        assert draw_random(space(RANGES), 20)[:7] == draw_random(space(RANGES), 7)

    def test_cells_are_distinct_and_lie_in_the_ranges(self) -> None:
        asked = space(RANGES)
        cells = draw_random(asked, 40)
        assert len({identity(asked.spec(cell, 0)) for cell in cells}) == 40
        assert all(1 <= c["temperature"] <= 16 and 0 <= c["alpha"] <= 1 for c in cells)
        assert {c["mode"] for c in cells} == {"kl", "mse"}
        below = sum(c["temperature"] < 4 for c in cells)  # half of them, in the logarithm; a fifth evenly
        assert 10 < below < 30

    def test_a_finite_space_is_drawn_to_its_end(self) -> None:
        assert len(draw_random(space(GRID), 100)) == 6

    def test_another_space_draws_otherwise(self) -> None:
        assert draw_random(space(RANGES), 3) != draw_random(space(RANGES, seeds=(1,)), 3)


class TestStudyKey:
    def test_one_for_each_question_data_and_teacher(self) -> None:
        keys = [
            study_key(space(GRID), "data", "teacher"),
            study_key(space(RANGES), "data", "teacher"),
            study_key(space(GRID, seeds=(0, 1)), "data", "teacher"),
            study_key(Space({**FIXED, "lr": 0.01}, [GRID]), "data", "teacher"),
            study_key(space(GRID), "data", "another teacher"),
            study_key(Space({**FIXED, "at.weight": 500}, [METHODS]), "data", "teacher"),
            study_key(Space({**FIXED, "at.weight": 1000}, [METHODS]), "data", "teacher"),
            study_key(Space({**FIXED, "at.weight": 1000, "taps": ["a"]}, [METHODS]), "data", "teacher"),
            study_key(Space({**FIXED, "rho": 0.5}, [{"optimizer": ["sgd", "adadelta"]}]), "data", "teacher"),
            study_key(Space({**FIXED, "rho": 0.9}, [{"optimizer": ["sgd", "adadelta"]}]), "data", "teacher"),
        ]
        assert len(set(keys)) == len(keys)
        assert study_key(space(GRID), "data", "teacher") == keys[0]


class TestTpe:
    def test_proposes_so_many_distinct_cells(self, tmp_path: Path) -> None:
        asked, proposer = space(RANGES), tpe(tmp_path, 8)
        assert not proposer.exhausted()
        cells = walked(proposer)
        assert len({identity(asked.spec(cell, 0)) for cell in cells}) == 8
        assert proposer.exhausted()

    def test_what_it_is_told_lies_in_the_journal(self, tmp_path: Path) -> None:
        proposer = tpe(tmp_path, 3)
        outcomes = [Outcome("complete", 0.75), Outcome("pruned", 0.5, 2), Outcome("failed")]
        for outcome in outcomes:
            asked = proposer.ask()
            assert asked is not None
            proposer.tell(asked[0], outcome)
        complete, pruned, failed = trials(tmp_path)
        assert (complete.state, complete.value) == (TrialState.COMPLETE, 0.75)
        assert (pruned.state, pruned.intermediate_values) == (TrialState.PRUNED, {2: 0.5})
        assert failed.state == TrialState.FAIL

    def test_what_it_is_told_guides_it(self, tmp_path: Path) -> None:
        proposer, cells = tpe(tmp_path, 40, space({"alpha": Between(0, 1)})), []
        while (asked := proposer.ask()) is not None:
            cells.append(asked[1]["alpha"])
            proposer.tell(asked[0], Outcome("complete", -abs(asked[1]["alpha"] - 0.8)))
        assert sum(abs(alpha - 0.8) for alpha in cells[-10:]) < 0.6 * sum(abs(alpha - 0.8) for alpha in cells[:10])

    def test_the_same_command_proposes_only_the_remainder(self, tmp_path: Path) -> None:
        first = walked(tpe(tmp_path, 3))
        again = tpe(tmp_path, 3)
        assert (again.ask(), again.exhausted()) == (None, True)
        more = tpe(tmp_path, 5)
        assert [dict(cell) for cell in more.past()] == first
        assert not more.exhausted()
        rest = walked(more)
        assert len(rest) == 2
        assert not any(cell in first for cell in rest)

    def test_a_cell_that_was_under_way_comes_first(self, tmp_path: Path) -> None:
        proposer = tpe(tmp_path, 3)
        done, under_way = proposer.ask(), proposer.ask()
        assert done is not None
        assert under_way is not None
        proposer.tell(done[0], Outcome("complete", 0.5))
        again = tpe(tmp_path, 3)
        assert [dict(cell) for cell in again.past()] == [dict(done[1]), dict(under_way[1])]
        assert again.ask() == under_way
        again.tell(under_way[0], Outcome("complete", 0.25))
        assert [trial.value for trial in trials(tmp_path)] == [0.5, 0.25]

    @pytest.mark.parametrize(
        ("blocks", "size"),
        [
            (({"temperature": [1, 2, 4], "alpha": [0.5, 0.9]},), 6),
            (({"mode": ["kl", "logit_mse"], "temperature": [1, 4]},), 3),
            (({"temperature": [1, 4]}, {"temperature": [8], "alpha": [0.1, 0.2]}, {"alpha": [0.3]}), 5),
            (({"temperature": [[[0, 1], [2, 4]], 4.0]},), 2),
            (({"mode": ["kl"]},), 1),
        ],
    )
    def test_a_finite_space_is_walked_to_its_end(self, tmp_path: Path, blocks: Any, size: int) -> None:
        asked, proposer = space(*blocks), tpe(tmp_path, 100, space(*blocks))
        cells = walked(proposer)
        assert {identity(asked.spec(c, 0)) for c in cells} == {identity(asked.spec(c, 0)) for c in asked.cells()}
        assert len(cells) == size
        assert proposer.exhausted()

    def test_reading_a_finished_study_writes_nothing(self, tmp_path: Path) -> None:
        walked(tpe(tmp_path, 2))
        before = (tmp_path / "study.journal").read_bytes()
        assert tpe(tmp_path, 2).exhausted()
        assert (tmp_path / "study.journal").read_bytes() == before

    def test_a_journal_that_a_killed_driver_left_locked_and_half_written(self, tmp_path: Path) -> None:
        walked(tpe(tmp_path, 2))
        journal = tmp_path / "study.journal"
        with journal.open("ab") as file:
            file.write(b'{"op_code":5,"worker')
        (tmp_path / "study.journal.lock").symlink_to(journal)
        mend(journal)
        assert len(walked(tpe(tmp_path, 4))) == 2
        assert [trial.state for trial in trials(tmp_path)] == [TrialState.COMPLETE] * 4


class TestListed:
    def test_each_cell_once(self) -> None:
        listed = Listed([{"alpha": 0.1}, {"alpha": 0.2}])
        assert not listed.exhausted()
        assert [listed.ask(), listed.ask(), listed.ask()] == [(0, {"alpha": 0.1}), (1, {"alpha": 0.2}), None]
        assert listed.exhausted()


class TestMeanOutcome:
    METRIC = "validation_accuracy"

    def row(self, status: str, *accuracies: float) -> dict[str, Any]:
        history = [{self.METRIC: accuracy} for accuracy in accuracies]
        return {"status": status, "epochs_run": len(history), "history": history}

    def test_finished_on_all_seeds(self) -> None:
        rows = [self.row("finished", 0.1, 0.5), self.row("finished", 0.3, 0.75)]
        assert mean_outcome(rows, self.METRIC) == Outcome("complete", 0.625)

    def test_stopped_on_some_is_the_mean_at_the_epoch_that_all_reached(self) -> None:
        rows = [self.row("finished", 0.25, 0.5, 0.9), self.row("stopped", 0.5)]
        assert mean_outcome(rows, self.METRIC) == Outcome("pruned", 0.375, 1)

    def test_failed_by_its_numbers_on_any_seed(self) -> None:
        failed = {**self.row("failed", 0.5), "error_kind": "numbers"}
        assert mean_outcome([self.row("finished", 0.25, 0.5), failed], self.METRIC) == Outcome("failed")

    @pytest.mark.parametrize("ended", [{"status": "lost"}, {"status": "failed", "error_kind": "exception"}])
    def test_what_is_tried_again_leaves_its_cell_open(self, ended: dict[str, Any]) -> None:
        rows = [self.row("finished", 0.25, 0.5), {**self.row("lost", 0.5), **ended}]
        assert mean_outcome(rows, self.METRIC) == Outcome("open")

    def test_stopped_before_its_first_checkpoint(self) -> None:
        assert mean_outcome([self.row("stopped")], self.METRIC) == Outcome("failed")

    def test_taken_over_by_another_driver(self) -> None:
        assert mean_outcome([{"status": "lost"}], self.METRIC) == Outcome("open")
