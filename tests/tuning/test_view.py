"""The live view: what it counts, what it shows, and that it is silent where there is no terminal."""

from __future__ import annotations

import io
import pickle
import time
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from kd_trainable.spec import RunSpec
from kd_trainable.tuning.view import View, label


def trial(name: str, **fields: Any) -> Any:
    spec = RunSpec(**{"dataset": "digits", "student": "digits_mlp", "temperature": 4, "alpha": 0.9, **fields})
    return SimpleNamespace(config={**spec.flat(), "spec_id": name}, last_result={})


def view(total: int = 4, done: int = 0, epochs: int = 10) -> View:
    return View(total, done, epochs, "validation_accuracy")


def report(shown: View, of: Any, epoch: int, accuracy: float, status: str = "running", resumed: int = 0) -> None:
    row = {"spec_id": of.config["spec_id"], "epoch": epoch, "validation_accuracy": accuracy, "status": status}
    row["resumed_epoch"] = resumed
    of.last_result = row
    shown.on_trial_result(0, [], of, row)


class TestCounts:
    def test_running_done_failed_and_total(self) -> None:
        shown, trials = view(total=6, done=1), [trial(name) for name in "abc"]
        for one in trials:
            shown.on_trial_start(0, [], one)
        assert "1 done, 3 running, 0 failed of 6" in shown.render().plain
        report(shown, trials[0], 10, 0.5, "finished")
        shown.on_trial_complete(0, [], trials[0])
        report(shown, trials[1], 3, float("nan"), "failed")
        shown.on_trial_complete(0, [], trials[1])
        shown.on_trial_error(0, [], trials[2])
        assert "2 done, 0 running, 2 failed of 6" in shown.render().plain

    def test_best_so_far_is_of_distilled_runs_and_names_what_selects_and_its_cell(self) -> None:
        shown = view()
        assert "best" not in shown.render().plain
        for name, accuracy, fields in (
            ("a", 0.5, {"temperature": 4}),
            ("b", 0.75, {"temperature": 1, "mode": "mse"}),
            ("c", 0.9, {"method": "none"}),
            ("d", float("nan"), {}),
        ):
            report(shown, trial(name, **fields), 1, accuracy)
        assert "best validation 75.00 % (T=1 α=0.9 mse)" in shown.render().plain

    def test_a_schedule_is_not_spelt_out(self) -> None:
        assert label(trial("a", temperature=[[0, 1], [5, 4]]).config) == "kl"


class TestEta:
    def test_there_is_none_before_the_first_epoch(self) -> None:
        assert view().eta() == "–"

    def test_epochs_left_at_the_pace_so_far(self) -> None:
        shown, one = view(total=4, done=1, epochs=10), trial("a")
        shown.on_trial_start(0, [], one)
        report(shown, one, 2, 0.5)
        report(shown, one, 5, 0.5)
        shown.began = time.monotonic() - 50  # 5 epochs in 50 s, and 25 of 30 are left
        assert shown.eta() in ("4 min 10 s", "4 min 11 s")

    def test_epochs_of_an_earlier_attempt_are_not_taken_for_speed(self) -> None:
        shown, one = view(), trial("a")
        shown.on_trial_start(0, [], one)
        report(shown, one, 8, 0.5, resumed=6)
        assert shown.trained == 2
        shown.on_trial_start(0, [], one)  # its worker has died
        report(shown, one, 9, 0.5, resumed=8)
        assert shown.trained == 3


class TestTerminal:
    def test_silent_where_there_is_none(self, capfd: pytest.CaptureFixture[str]) -> None:
        with view() as shown:
            report(shown, trial("a"), 1, 0.5)
            shown.on_step_end(0, [])
        assert capfd.readouterr() == ("", "")

    def test_one_line_where_there_is_one_and_none_is_left(self) -> None:
        screen = io.StringIO()
        shown = view()
        shown.console = Console(file=screen, force_terminal=True, width=100)
        with shown:
            shown.on_trial_start(0, [], trial("a"))
            assert shown.console.is_terminal
        assert "0 done, 1 running, 0 failed of 4" in screen.getvalue()
        assert screen.getvalue().endswith("\x1b[2K")  # the line is erased

    def test_tune_can_pickle_it(self) -> None:
        with view() as shown:
            assert isinstance(pickle.loads(pickle.dumps(shown)), View)
