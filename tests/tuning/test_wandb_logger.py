"""Weights & Biases against a stand-in that remembers its calls: the package itself is not installed here."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from kd_trainable.spec import RunSpec
from kd_trainable.tuning.loggers.wandb import Wandb
from kd_trainable.tuning.store import Storage

SPEC = RunSpec(dataset="digits", student="digits_mlp", teacher="digits_cnn", temperature=4, alpha=0.9).flat()


class FakeRun:
    """A run of W&B: ``step`` is the next one that it takes."""

    def __init__(self, step: int, **asked: Any) -> None:
        self.step, self.asked = step, asked
        self.logged: list[tuple[int, dict[str, float]]] = []
        self.summary: dict[str, Any] = {}
        self.exit_code: int | None = None

    def log(self, numbers: dict[str, float], step: int) -> None:
        assert step >= self.step
        self.logged.append((step, numbers))
        self.step = step

    def finish(self, exit_code: int) -> None:
        self.exit_code = exit_code


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[FakeRun]:
    """The runs that were begun; each resumes at step 3."""
    made: list[FakeRun] = []
    fake = ModuleType("wandb")
    fake.init = lambda **asked: made.append(FakeRun(3, **asked)) or made[-1]  # type: ignore[attr-defined]
    fake.Settings = lambda **asked: SimpleNamespace(**asked)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return made


def test_a_run_of_the_same_id_is_resumed_after_its_last_step(begun: list[FakeRun]) -> None:
    logger = Wandb(Storage("mock:///results"), "s")
    logger.begin("abc", SPEC)
    logger.epochs("abc", [{"epoch": epoch, "test_accuracy": epoch / 10} for epoch in (1, 2, 3, 4)])
    logger.end("abc", {"status": "finished"})
    (run,) = begun
    asked = run.asked
    assert (asked["project"], asked["id"], asked["resume"], asked["reinit"]) == ("s", "abc", "allow", "create_new")
    assert "mode" not in asked  # the environment's
    assert (asked["name"], asked["config"]["temperature"]) == ("kd-digits_mlp-kl-T4-a0.9-seed0", 4.0)
    assert run.logged == [(3, {"accuracy/test": 0.3}), (4, {"accuracy/test": 0.4})]
    assert (run.summary, run.exit_code) == ({"status": "finished"}, 0)


def test_runs_overlap_and_a_failed_one_ends_as_failed(begun: list[FakeRun]) -> None:
    logger = Wandb(Storage("mock:///results"), "s")
    logger.begin("abc", SPEC)
    logger.begin("def", SPEC)
    logger.end("abc", {"status": "failed"})
    assert [run.exit_code for run in begun] == [1, None]
