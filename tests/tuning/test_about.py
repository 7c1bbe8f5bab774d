"""sweep.json says what a sweep asked, how it was run, and when."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kd_trainable.teacher import Card
from kd_trainable.tuning import Settings, about
from kd_trainable.tuning.about import FROM_PYTHON, About, Origin
from kd_trainable.tuning.space import Space
from kd_trainable.tuning.store import Storage

SPACE = Space({"dataset": "digits", "student": "digits_mlp", "teacher": "digits_cnn"}, [{"temperature": [1, 4]}])
CARD = Card("digits_cnn", "digits", "data", 10, 1, "dataset", (0.3,), (0.4,), "weights", test_accuracy=0.9)
ORIGIN = Origin("Does it help?", "python sweeps/s.py --storage s3://KEY:SECRET@bucket/results")


def said(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "sweeps" / "s" / "sweep.json").read_text())
    return found


def made(folder: Path, origin: Origin = ORIGIN) -> About:
    return About(Storage(str(folder)), "s", origin)


def test_all_that_a_report_wants(tmp_path: Path) -> None:
    with made(tmp_path) as one:
        one.begin(SPACE, Settings(searcher="random", num_samples=2, scheduler="asha"), CARD)
        found = said(tmp_path)
    assert list(found) == [
        "sweep_format", "name", "question", "command", "storage", "metric", "searcher", "num_samples", "scheduler",
        "teacher", "recipe", "versions", "began", "ended",
    ]  # fmt: skip
    assert (found["sweep_format"], found["name"], found["question"]) == (1, "s", "Does it help?")
    assert (found["storage"], found["metric"]) == (str(tmp_path), "validation_accuracy")
    assert (found["searcher"], found["num_samples"], found["scheduler"]) == ("random", 2, "asha")
    assert (found["teacher"]["architecture"], found["teacher"]["test_accuracy"]) == ("digits_cnn", 0.9)
    assert found["recipe"] == SPACE.base.flat()
    assert {"python", "torch", "ray", "kd_trainable"} <= found["versions"].keys()


def test_no_secret_of_a_uri(tmp_path: Path) -> None:
    made(tmp_path).begin(SPACE, Settings(), None)
    assert said(tmp_path)["command"] == "python sweeps/s.py --storage s3://bucket/results"


def test_ended_is_missing_while_it_runs_and_there_when_it_has_ended_however(tmp_path: Path) -> None:
    one = made(tmp_path)
    one.begin(SPACE, Settings(), None)
    assert (said(tmp_path)["ended"], said(tmp_path)["teacher"]) == (None, None)
    with pytest.raises(KeyboardInterrupt), one:
        raise KeyboardInterrupt
    found = said(tmp_path)
    began, ended = (datetime.fromisoformat(found[name]) for name in ("began", "ended"))
    assert began <= ended
    assert str(began.tzinfo) == "UTC"


def test_with_nothing_to_run_it_ran_when_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with made(tmp_path) as one:
        one.begin(SPACE, Settings(), CARD)
    before = said(tmp_path)
    monkeypatch.setattr(about, "now", lambda: "later")
    with made(tmp_path, FROM_PYTHON) as again:
        again.keep(SPACE, Settings(), CARD)
    after = said(tmp_path)
    assert (after["began"], after["ended"]) == (before["began"], before["ended"])
    assert (after["question"], after["command"]) == ("", "")


def test_one_that_was_killed_is_ended_by_the_same_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path).begin(SPACE, Settings(), CARD)
    began = said(tmp_path)["began"]
    monkeypatch.setattr(about, "now", lambda: "later")
    made(tmp_path).keep(SPACE, Settings(), CARD)
    assert (said(tmp_path)["began"], said(tmp_path)["ended"]) == (began, "later")


def test_nothing_is_written_of_a_sweep_that_was_refused(tmp_path: Path) -> None:
    with made(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
