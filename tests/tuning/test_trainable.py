"""A trial as Tune sees it, without Tune: it goes on, is reused, gives way to a successor, and finishes only once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from short_runs import SHORT, files, history

from kd_trainable.data.digits import digits
from kd_trainable.spec import RunSpec, spec_id
from kd_trainable.tuning import endings
from kd_trainable.tuning.run_folder import RunFolder
from kd_trainable.tuning.shared import Shared
from kd_trainable.tuning.store import Storage
from kd_trainable.tuning.trainable import DistillationTrial


@pytest.fixture
def shared(cluster: None, tmp_path: Path) -> Shared:
    """Data in the object store and no teacher; every epoch is reported."""
    import ray

    data = digits()
    return Shared(
        storage=Storage(str(tmp_path)),
        data=ray.put(data),
        data_fingerprint=data.fingerprint(),
        teacher=None,
        card=None,
        kept={},
        threads=1,
        gpus=0.0,
        metric="validation_accuracy",
        every_epoch=True,
    )


def config(shared: Shared, **fields: Any) -> dict[str, Any]:
    spec = RunSpec(**{**SHORT, "method": "none", **fields})
    return {**spec.flat(), "spec_id": spec_id(spec, shared.data_fingerprint)}


def trial(shared: Shared, **fields: Any) -> DistillationTrial:
    """An attempt at a run, made as an actor makes it."""
    made = DistillationTrial.__new__(DistillationTrial)
    made.setup(config(shared, **fields), {"shared": shared})
    return made


def to_the_end(of: DistillationTrial) -> list[tuple[str, int]]:
    """(status, epoch) of each report."""
    reports = []
    while not reports or reports[-1][0] == "running":
        report = of.step()
        reports.append((report["status"], report["epoch"]))
    return reports


def folder(shared: Shared, of: DistillationTrial) -> RunFolder:
    return RunFolder(shared.storage, of.spec_id)


def test_an_epoch_a_step_where_a_scheduler_listens(shared: Shared) -> None:
    assert to_the_end(trial(shared)) == [("running", 1), ("running", 2), ("finished", 3)]


def test_a_next_attempt_goes_on_from_the_newest_checkpoint(shared: Shared, tmp_path: Path) -> None:
    first = trial(shared)
    first.step()
    first.step()
    second = trial(shared)
    report = second.step()
    assert (report["status"], report["epoch"], report["resumed_epoch"]) == ("finished", 3, 2)
    resumed = history(tmp_path, second.spec_id)
    second.folder.forget()
    again = trial(shared)
    assert [epoch for _, epoch in to_the_end(again)] == [1, 2, 3]
    assert history(tmp_path, again.spec_id) == resumed


def test_each_report_has_the_epochs_since_the_last_one(shared: Shared) -> None:
    """The first one of an attempt has all that the run has: its driver may be a new one."""
    first = trial(shared)
    assert [[row["epoch"] for row in first.step()["rows"]] for _ in range(2)] == [[1], [2]]
    second = trial(shared)
    assert [row["epoch"] for row in second.step()["rows"]] == [1, 2, 3]
    assert second.reset_config(config(shared, seed=1))
    assert [row["epoch"] for row in second.step()["rows"]] == [1]


def test_an_attempt_that_has_a_successor_ends_as_lost_and_writes_nothing_more(shared: Shared, tmp_path: Path) -> None:
    first = trial(shared)
    first.step()
    second = trial(shared)
    second.step()
    before = files(tmp_path)
    report = first.step()
    assert (report["status"], report["done"]) == ("lost", True)
    assert "another attempt has taken over" in report["error"]
    assert files(tmp_path) == before
    assert second.step()["status"] == "finished"


def test_what_has_finished_is_not_run_again(shared: Shared, tmp_path: Path) -> None:
    """Its worker may die after it has written its result, and before Tune has heard of it."""
    to_the_end(trial(shared))
    before = files(tmp_path)
    assert trial(shared).step()["status"] == "finished"
    assert files(tmp_path) == before


def test_an_actor_is_reused(shared: Shared, tmp_path: Path) -> None:
    used = trial(shared)
    to_the_end(used)
    other = config(shared, seed=1, lr=0.01)
    assert used.reset_config(other)
    assert to_the_end(used)[-1] == ("finished", 3)
    fresh = history(tmp_path, other["spec_id"])
    RunFolder(shared.storage, other["spec_id"]).forget()
    to_the_end(trial(shared, seed=1, lr=0.01))
    assert history(tmp_path, other["spec_id"]) == fresh


def test_tune_can_take_its_state_along(shared: Shared, tmp_path: Path) -> None:
    first, elsewhere = trial(shared), tmp_path / "tune"
    elsewhere.mkdir()
    first.step()
    first.save_checkpoint(str(elsewhere))
    first.folder.forget()
    second = trial(shared)
    second.load_checkpoint(str(elsewhere))
    assert to_the_end(second) == [("running", 2), ("finished", 3)]


def test_a_config_that_is_not_the_run_it_is_named_writes_nothing(shared: Shared, tmp_path: Path) -> None:
    altered = {**config(shared), "lr": 0.01}
    made = trial(shared)
    made.reset_config(altered)
    report = made.step()
    assert report["status"] == "failed"
    assert f"not the {altered['spec_id']} it was given" in report["error"]
    assert list(tmp_path.iterdir()) == []


class TestClosing:
    """What the driver makes of a trial that has ended without a result."""

    def closed(self, shared: Shared, of: DistillationTrial, **report: Any) -> dict[str, Any]:
        return dict(endings.close(shared.storage, of.spec_id, of.spec, report))

    def test_stopped_by_a_scheduler(self, shared: Shared) -> None:
        stopped = trial(shared)
        stopped.step()
        found = self.closed(shared, stopped, status="running")
        assert (found["status"], found["epochs_run"], found["attempts"]) == ("stopped", 1, 1)
        assert stopped.step()["status"] == "lost"  # should its worker not have heard of it
        assert folder(shared, stopped).result() == found

    def test_lost(self, shared: Shared) -> None:
        lost = trial(shared)
        lost.step()
        found = self.closed(shared, lost, status="lost")
        assert (found["status"], found["error"], found["epochs_run"]) == ("lost", "its worker died 1 times", 1)
        assert found["spec"] == lost.spec.flat()

    def test_finished_though_its_worker_died_then(self, shared: Shared) -> None:
        done = trial(shared)
        to_the_end(done)
        assert self.closed(shared, done, status="lost")["status"] == "finished"

    def test_the_failure_of_an_earlier_attempt_is_not_taken_for_this_ones_end(self, shared: Shared) -> None:
        failed = trial(shared)
        failed.step()
        failed._fail(RuntimeError("out of luck"))
        assert self.closed(shared, failed, status="failed")["error"] == "RuntimeError: out of luck"
        again = trial(shared)
        again.step()
        assert self.closed(shared, again, status="running")["status"] == "stopped"

    def test_taken_over_by_another_driver_whose_run_it_is_now(self, shared: Shared, tmp_path: Path) -> None:
        ours, theirs = trial(shared), trial(shared)
        ours.step()
        theirs.step()
        before = files(tmp_path)
        assert self.closed(shared, ours, **ours.step()) == {"status": "lost"}
        assert files(tmp_path) == before
        assert to_the_end(theirs)[-1] == ("finished", 3)


def test_on_a_node_that_has_not_the_drivers_folder_it_fails_by_name(shared: Shared) -> None:
    elsewhere = trial(replace(shared, home="another node"))
    report = elsewhere.step()
    assert report["status"] == "failed"
    assert "is a folder of the driver's machine, and this run is on another; name" in report["error"]
    assert folder(shared, elsewhere).attempts() == 0


def test_a_run_that_finishes_while_it_is_taken_for_dead_stays_finished(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a worker on a node that was cut off: it ends its run just before the driver takes the lease from it."""
    worker = trial(shared)
    worker.step()
    before = RunFolder.fence

    def last_moment(self: RunFolder) -> None:
        assert to_the_end(worker)[-1][0] == "finished"
        before(self)

    monkeypatch.setattr(RunFolder, "fence", last_moment)
    found = endings.close(shared.storage, worker.spec_id, worker.spec, {"status": "lost", "cause": "no heartbeat"})
    assert (found["status"], folder(shared, worker).result()["status"]) == ("finished", "finished")


def test_what_is_told_and_not_seen_is_written_over_by_nothing(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS may hide another node's file for a minute."""
    monkeypatch.setattr(endings, "UNSEEN_S", 0.0)
    worker = trial(shared)
    told = endings.close(shared.storage, worker.spec_id, worker.spec, {"status": "finished"})
    assert (told["status"], "do all nodes share that folder?" in told["error"]) == ("lost", True)
    assert folder(shared, worker).result() is None
