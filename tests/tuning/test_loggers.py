"""Which loggers there are, what they are told, and that none of them can end or delay a sweep."""

from __future__ import annotations

import importlib.util
import math
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kd_trainable.spec import RunSpec
from kd_trainable.tuning import Settings
from kd_trainable.tuning.loggers import LOGGERS, Row, book, require_installed
from kd_trainable.tuning.loggers.book import Book
from kd_trainable.tuning.loggers.words import label, parameters, scalars
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError

SPEC = RunSpec(dataset="digits", student="digits_mlp", teacher="digits_cnn", temperature=4, alpha=0.9).flat()
BASELINE = RunSpec(dataset="digits", student="digits_mlp", method="none", seed=3).flat()
PATIENCE_S = 20.0


def rows(first: int, last: int) -> list[dict[str, Any]]:
    return [{"epoch": epoch, "test_accuracy": epoch / 10} for epoch in range(first, last + 1)]


class Recorder:
    """Writes down what it is told."""

    def __init__(self, there: Sequence[str] = ()) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.there = there

    def has(self, run: str, status: str) -> bool:
        return run in self.there

    def begin(self, run: str, spec: Row) -> None:
        self.told.append(("begin", run, spec["temperature"]))

    def epochs(self, run: str, rows: Sequence[Row]) -> None:
        self.told.append(("epochs", run, *(row["epoch"] for row in rows)))

    def end(self, run: str, result: Row) -> None:
        self.told.append(("end", run, result["status"]))

    def close(self) -> None:
        return


class Gone(Recorder):
    """Its server goes away after the first run has begun."""

    def epochs(self, run: str, rows: Sequence[Row]) -> None:
        raise ConnectionError("https://me:secret@host/api does not\nanswer")


class Stuck(Recorder):
    """Waits for something that does not come."""

    def begin(self, run: str, spec: Row) -> None:
        threading.Event().wait()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A book with these loggers, and the lines that it said."""
    said: list[str] = []

    def make(*loggers: Recorder) -> tuple[Book, list[str]]:
        named = {str(number): logger for number, logger in enumerate(loggers)}
        monkeypatch.setattr(book, "make", lambda name, storage, sweep: named[name])
        return Book([*named], Storage(str(tmp_path)), "s", said.append), said

    return make


class TestBook:
    def test_every_logger_hears_of_every_run_in_order(self, told: Any) -> None:
        first, second = Recorder(), Recorder()
        made, said = told(first, second)
        with made:
            made.begin("a", SPEC)
            made.epochs("a", rows(1, 2))
            made.begin("b", SPEC)
            made.end("a", {"status": "finished", "history": rows(1, 3)})
            made.end("b", {"status": "failed", "history": []})
        assert first.told == second.told
        assert first.told == [
            ("begin", "a", 4.0),
            ("epochs", "a", 1, 2),
            ("begin", "b", 4.0),
            ("epochs", "a", 3),
            ("end", "a", "finished"),
            ("end", "b", "failed"),
        ]
        assert said == []

    def test_an_attempt_that_goes_over_epochs_again_tells_only_the_new_ones(self, told: Any) -> None:
        one = Recorder()
        made, _ = told(one)
        with made:
            made.begin("a", SPEC)
            made.epochs("a", rows(1, 5))
            made.begin("a", SPEC)  # its worker has died, and it goes on from epoch 3
            made.epochs("a", rows(1, 4))
            made.epochs("a", rows(5, 6))
        assert one.told == [("begin", "a", 4.0), ("epochs", "a", 1, 2, 3, 4, 5), ("epochs", "a", 6)]

    def test_one_that_fails_is_dropped_with_one_line_and_no_password(self, told: Any) -> None:
        whole = Recorder()
        made, said = told(Gone(), whole)
        with made:
            made.begin("a", SPEC)
            made.epochs("a", rows(1, 1))
            made.epochs("a", rows(2, 2))
            made.end("a", {"status": "finished"})
        assert len(whole.told) == 4
        problem = "ConnectionError: https://host/api does not answer"
        assert said == [f"log: 0: {problem}; the sweep goes on without it"]

    def test_one_that_hangs_delays_nothing(self, told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(book, "STUCK_S", 0.2)
        made, said = told(Stuck())
        began = time.monotonic()
        with made:
            made.begin("a", SPEC)
            made.epochs("a", rows(1, 1))
        assert time.monotonic() - began < PATIENCE_S
        assert said == ["log: 0: stuck for 0.2 s, and left; the same command logs what is missing"]

    def test_what_is_done_is_logged_once(self, told: Any) -> None:
        one = Recorder(there=["a"])
        made, _ = told(one)
        with made:
            made.complete({run: {"status": "finished", "spec": SPEC, "history": rows(1, 2)} for run in "ab"})
        assert one.told == [("begin", "b", 4.0), ("epochs", "b", 1, 2), ("end", "b", "finished")]

    def test_nothing_is_made_before_the_first_run(self, told: Any) -> None:
        made, _ = told(Recorder())
        with made:
            assert [page.thread for page in made.pages] == [None]


class TestWords:
    def test_a_label_can_name_a_folder(self) -> None:
        assert label(SPEC) == "kd-digits_mlp-kl-T4-a0.9-seed0"
        assert label(BASELINE) == "none-digits_mlp-seed3"
        assert label({**SPEC, "student": "my.nets:tiny", "temperature": [[0, 1], [5, 4]]}) == (
            "kd-my.nets_tiny-kl-a0.9-seed0"
        )

    def test_parameters_are_what_matters(self) -> None:
        said = parameters(SPEC)
        assert (said["temperature"], said["alpha"], said["mode"], said["nesterov"]) == (4.0, 0.9, "kl", False)
        assert not {"temperature", "alpha", "mode", "teacher"} & parameters(BASELINE).keys()
        assert "patience" in said
        assert "monitor" not in said  # nothing looks at it

    def test_a_hyperparameter_by_its_own_name(self) -> None:
        spec = RunSpec(dataset="digits", student="digits_mlp", method="kd+at", hyperparameters={"at.weight": 500})
        assert parameters(spec.flat())["at.weight"] == 500

    def test_tags_are_grouped_and_what_is_missing_is_left_out(self) -> None:
        row = {"epoch": 1, "test_accuracy": 0.5, "soft_loss": math.nan, "lr": 0.1, "epoch_seconds": 2, "at_loss": None}
        assert scalars(row) == {"accuracy/test": 0.5, "lr": 0.1, "pace/epoch_seconds": 2.0}


class TestSetting:
    @pytest.mark.parametrize(
        ("log", "loggers"),
        [("mlflow", ("mlflow",)), ("none", ()), (["tensorboard", "wandb"], ("tensorboard", "wandb"))],
    )
    def test_one_or_several_names(self, log: Any, loggers: tuple[str, ...]) -> None:
        assert Settings(log=log).loggers == loggers

    def test_tensorboard_is_the_default(self) -> None:
        assert Settings().loggers == ("tensorboard",)

    @pytest.mark.parametrize(
        ("log", "said"),
        [
            (
                ["mlfow"],
                "log: unknown name 'mlfow' (did you mean 'mlflow'?); allowed: tensorboard, mlflow, wandb, none",
            ),
            (["none", "mlflow"], "log: none stands alone, not beside mlflow"),
            (["mlflow", "mlflow"], "log: mlflow is given more than once; give each value once"),
            ([], "log: empty; give at least one value"),
        ],
    )
    def test_refused_in_one_line(self, log: Any, said: str) -> None:
        with pytest.raises(InputError) as refusal:
            Settings(log=log)
        assert str(refusal.value) == said

    @pytest.mark.parametrize("name", [*LOGGERS])
    def test_without_its_package(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
        with pytest.raises(InputError) as refusal:
            require_installed([name], Storage(str(tmp_path)))
        assert str(refusal.value) == f"log: {name} is not installed; pip install 'kd-trainable[{name}]'"

    def test_a_folder_of_its_name_is_no_package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """W&B leaves one in the working folder."""
        (tmp_path / "wandb").mkdir()
        monkeypatch.syspath_prepend(str(tmp_path))
        if getattr(importlib.util.find_spec("wandb"), "origin", None) is not None:
            pytest.skip("wandb is installed")
        with pytest.raises(InputError, match="log: wandb is not installed"):
            require_installed(["wandb"], Storage(str(tmp_path)))

    def test_on_the_command_line(self, refused: Callable[..., str]) -> None:
        assert "log: unknown name 'tensorbord' (did you mean 'tensorboard'?)" in refused("--log", "tensorbord")

    def test_mlflow_beside_a_folder_that_is_not_local(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with pytest.raises(InputError) as refusal:
            require_installed(["mlflow"], Storage("mock:///results"))
        assert str(refusal.value) == "log: mlflow needs MLFLOW_TRACKING_URI: mock:///results is no local folder"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
        require_installed(["mlflow"], Storage("mock:///results"))
