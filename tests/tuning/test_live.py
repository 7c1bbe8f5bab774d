"""While a sweep runs its tables can be read: runs under way with the epochs that they have reported, each once."""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from kd_trainable.records import EPOCH_COLUMNS, RUN_COLUMNS
from kd_trainable.spec import RunSpec
from kd_trainable.tuning import live, results
from kd_trainable.tuning.conductor import Conductor
from kd_trainable.tuning.live import Live
from kd_trainable.tuning.loggers.book import Book
from kd_trainable.tuning.results import Ending
from kd_trainable.tuning.run_folder import RunFolder
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError

FIELDS = {"dataset": "digits", "student": "digits_mlp", "teacher": "digits_cnn", "epochs": 9}
SPECS = {name: RunSpec(**FIELDS, temperature=place + 1.0) for place, name in enumerate(("done", "going", "waiting"))}


def rows(first: int, last: int) -> list[dict[str, Any]]:
    row = {"validation_accuracy": 0.5, "test_accuracy": 0.4, "images_per_second": 10.0, "teacher_agreement": 0.6}
    return [{"epoch": epoch, **row} for epoch in range(first, last + 1)]


def result(name: str, last: int = 9) -> dict[str, Any]:
    facts = {"attempts": 1, "agreement_with": "teacher"}
    return results.result(name, SPECS[name], Ending("finished"), rows(1, last), facts)


def trial(name: str) -> Any:
    return SimpleNamespace(config={"spec_id": name})


def report(to: Live, name: str, first: int, last: int) -> None:
    to.on_trial_result(0, [], trial(name), {"spec_id": name, "rows": rows(first, last)})


class Heard(Book):
    """Remembers what is logged."""

    def __init__(self) -> None:
        super().__init__((), Storage("."), "s", print)
        self.told: list[tuple[Any, ...]] = []

    def begin(self, run: str, spec: Mapping[str, Any]) -> None:
        self.told.append(("begin", run))

    def epochs(self, run: str, rows: Any) -> None:
        self.told.append(("epochs", run, len(rows)))

    def end(self, run: str, result: Mapping[str, Any]) -> None:
        self.told.append(("end", run, result["status"]))


@pytest.fixture
def made(tmp_path: Path) -> Live:
    """One run has ended, two are to come."""
    conductor = Conductor.__new__(Conductor)
    conductor.runs, conductor.rows = dict(SPECS), {"done": result("done")}
    return Live("s", Storage(str(tmp_path)), "teacher", conductor, Heard())


def tables(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    runs, epochs = (pd.read_parquet(folder / "sweeps" / "s" / f"{name}.parquet") for name in ("runs", "epochs"))
    assert list(runs.columns) == [c.name for c in RUN_COLUMNS]
    assert list(epochs.columns) == [c.name for c in EPOCH_COLUMNS]
    return runs.set_index("spec_id"), epochs


def epochs_of(folder: Path, name: str) -> list[int]:
    epochs = tables(folder)[1]
    return list(epochs.loc[epochs["spec_id"] == name, "epoch"])


class TestTables:
    def test_there_from_the_start(self, made: Live, tmp_path: Path) -> None:
        with made:
            runs, epochs = tables(tmp_path)
        assert list(runs["status"]) == ["finished", "unfinished", "unfinished"]
        assert set(epochs["spec_id"]) == {"done"}
        assert (tmp_path / "sweeps" / "s" / "ids.json").exists()

    def test_a_run_under_way_with_the_epochs_it_has_reported(self, made: Live, tmp_path: Path) -> None:
        RunFolder(made.storage, "going").claim()
        made.on_trial_start(0, [], trial("going"))
        report(made, "going", 1, 2)
        report(made, "going", 3, 3)
        made.write_tables("running")
        runs, _ = tables(tmp_path)
        going = runs.loc["going"]
        assert (going["status"], going["epochs_run"], going["attempts"]) == ("running", 3, 1)
        assert (going["test_accuracy_last"], going["teacher_agreement"]) == (0.4, 0.6)
        assert epochs_of(tmp_path, "going") == [1, 2, 3]

    def test_an_attempt_that_goes_on_counts_no_epoch_twice(self, made: Live, tmp_path: Path) -> None:
        report(made, "going", 1, 5)
        report(made, "going", 1, 4)  # its worker has died: all that its checkpoint holds, and one more
        report(made, "going", 5, 6)
        made.write_tables("running")
        assert epochs_of(tmp_path, "going") == [1, 2, 3, 4, 5, 6]

    def test_what_an_attempt_has_lost_is_gone(self, made: Live, tmp_path: Path) -> None:
        report(made, "going", 1, 5)
        report(made, "going", 1, 2)
        made.write_tables("running")
        assert epochs_of(tmp_path, "going") == [1, 2]

    def test_a_run_that_has_ended_is_its_result(self, made: Live, tmp_path: Path) -> None:
        report(made, "going", 1, 5)
        made.conductor.rows["going"] = result("going")  # Tune tells its searcher first
        made.on_trial_complete(0, [], trial("going"))
        made.write_tables("running")
        assert tables(tmp_path)[0].loc["going", "status"] == "finished"
        assert len(epochs_of(tmp_path, "going")) == 9

    def test_an_interrupted_sweep_leaves_no_run_that_would_seem_to_run(self, made: Live, tmp_path: Path) -> None:
        report(made, "going", 1, 2)
        with pytest.raises(KeyboardInterrupt), made:
            raise KeyboardInterrupt
        assert list(tables(tmp_path)[0]["status"]) == ["finished", "unfinished", "unfinished"]
        assert epochs_of(tmp_path, "going") == [1, 2]

    def test_a_run_that_is_another_drivers_now(self, made: Live, tmp_path: Path) -> None:
        report(made, "going", 1, 2)
        made.conductor.rows["going"] = {"status": "lost"}
        made.on_trial_complete(0, [], trial("going"))
        made.write_tables("running")
        assert tables(tmp_path)[0].loc["going", "status"] == "unfinished"


class TestPace:
    def test_not_more_often_than_every_30_s(self, made: Live, tmp_path: Path) -> None:
        with made:
            report(made, "going", 1, 2)
            made.on_step_end(0, [])
            assert epochs_of(tmp_path, "going") == []
            assert 25 < made.due - time.monotonic() <= live.TABLES_S
            made.due = 0.0
            made.on_step_end(0, [])
            assert epochs_of(tmp_path, "going") == [1, 2]

    def test_nor_for_more_than_a_hundredth_of_the_time(self, made: Live, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(results, "write_tables", lambda *given: time.sleep(0.5))
        made.write_tables("running")
        assert made.due - time.monotonic() > 49

    @pytest.mark.parametrize("error", [OSError(28, "No space left on device"), InputError("storage: gone")])
    def test_where_they_cannot_be_written_the_sweep_goes_on(
        self, made: Live, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        def fails(*given: Any) -> None:
            raise error

        monkeypatch.setattr(results, "write_tables", fails)
        with made:
            report(made, "going", 1, 2)


def test_loggers_hear_of_runs_from_begin_to_end(made: Live) -> None:
    with made:
        made.on_trial_start(0, [], trial("going"))
        report(made, "going", 1, 2)
        made.conductor.rows["going"] = result("going")
        made.on_trial_complete(0, [], trial("going"))
        made.on_trial_start(0, [], trial("waiting"))
    heard: Any = made.book
    assert [told for told in heard.told if told != ("begin", "going")] == [
        ("epochs", "going", 2),
        ("end", "going", "finished"),
        ("begin", "waiting"),
        ("end", "waiting", "unfinished"),
    ]


def test_tune_can_pickle_it(made: Live) -> None:
    assert isinstance(pickle.loads(pickle.dumps(made)), Live)


def test_a_store_that_errs_costs_the_tables_and_nothing_else(made: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a run under way the lease is read, for its attempts: that may fail too."""

    def errs(folder: RunFolder) -> None:
        raise InputError("storage: s3://bucket/results cannot be read: SLOW_DOWN")

    made.on_trial_start(0, [], trial("going"))
    monkeypatch.setattr(RunFolder, "attempts", errs)
    with pytest.raises(KeyboardInterrupt), made:  # and a Ctrl-C stays one
        raise KeyboardInterrupt
    assert made.conductor.rows["done"]["status"] == "finished"


def test_tables_that_are_a_successors_by_now_are_left_alone(made: Live, tmp_path: Path) -> None:
    def taken() -> None:
        raise InputError("storage: s3://bucket/results was taken over by another driver (host b, pid 1)")

    table = tmp_path / "sweeps" / "s" / "runs.parquet"
    made.write_tables("running")
    written, made.require_held = table.read_bytes(), taken
    with pytest.raises(InputError, match="taken over") as refusal:
        made.on_step_end(0, [])
    made.__exit__(refusal.type, refusal.value)
    assert table.read_bytes() == written
