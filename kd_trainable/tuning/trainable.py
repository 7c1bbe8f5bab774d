"""One run as a Ray Tune trial: takes the run's lease, goes on from its newest checkpoint, trains, writes its result."""

from __future__ import annotations

import sys
import time
import traceback
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from kd_trainable.engine import checkpoint
from kd_trainable.engine.evaluate import latency
from kd_trainable.engine.plain import NumbersError, PlainRun
from kd_trainable.engine.process import prepare_process
from kd_trainable.spec import RunSpec, spec_id
from kd_trainable.tuning import results
from kd_trainable.tuning.classroom import Classroom
from kd_trainable.tuning.nodes import draining
from kd_trainable.tuning.resume import go_on
from kd_trainable.tuning.run_folder import Fenced, RunFolder
from kd_trainable.tuning.shared import Shared
from kd_trainable.tuning.text import one_line

CHECKPOINT_SHARE = 0.05  # of the time may go into writing checkpoints
ASK_NODE_S = 5.0  # between two questions whether this node is about to go; clouds give 30 s or more of notice
REPORT_S = 1.0  # without a scheduler, epochs shorter than this are reported together


class DistillationTrial(tune.Trainable):
    """Tune's view of a run. ``config`` is the spec, flat, and its spec_id; actors are reused by ``reset_config``."""

    def setup(self, config: dict[str, Any], shared: dict[str, Shared]) -> None:
        self.shared = shared["shared"]
        sys.path += [folder for folder in self.shared.path if folder not in sys.path]
        prepare_process(self.shared.threads)
        self.classroom = Classroom(self.shared)
        self.facts: dict[str, Any] = {}
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        began = time.perf_counter()
        try:
            if self.run is None and self._finished():
                return self._report("finished")
            if self.run is None:
                self._prepare()
            assert self.run is not None
            while not self.run.done:
                self._epoch()
                if self.shared.every_epoch or time.perf_counter() - began > REPORT_S:
                    break
            if self.run.done:
                self._end("finished")
        except Fenced as error:
            return self._report("lost", str(error))
        except ray.exceptions.RayTaskError as error:  # an error of the broker's own
            return self._fail(error.cause if isinstance(error.cause, Exception) else error)
        except ray.exceptions.RayError:  # the broker's or an object's node is gone: lost, and so tried again
            raise
        except Exception as error:  # recorded, and the trial ends: Tune's retries are for lost runs only
            return self._fail(error)
        return self._report("finished" if self.run.done else "running")

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        if self.run is not None:
            Path(checkpoint_dir, "state.safetensors").write_bytes(checkpoint.encode(self.run, self.facts))

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        self._prepare()
        assert self.run is not None
        tensors, history, self.facts = checkpoint.decode(Path(checkpoint_dir, "state.safetensors").read_bytes())
        self.run.load(tensors, history)

    def _begin(self, config: dict[str, Any]) -> None:
        self.spec_id = config["spec_id"]
        self.spec = RunSpec(**{k: v for k, v in config.items() if k != "spec_id"})
        self.run: PlainRun | None = None
        self.attempt, self.resumed_epoch, self.reported = 0, 0, 0
        self.facts = {"train_seconds": 0.0, "teacher_seconds": 0.0}
        self.save_seconds, self.saved_at = 0.0, time.perf_counter()
        self.notes: list[str] = []
        self.asked_at, self.leaving = 0.0, False

    def _finished(self) -> bool:
        """Whether an earlier attempt wrote its result and died before Tune heard of it."""
        found = RunFolder(self.shared.storage, self.spec_id).result()
        return found is not None and found["status"] == "finished"

    def _prepare(self) -> None:
        """Takes the lease and builds the run, from its newest checkpoint if it has one."""
        teacher = self.shared.card.identity if self.shared.card else ""
        own = spec_id(self.spec, self.shared.data_fingerprint, teacher)
        if own != self.spec_id:
            raise RuntimeError(f"the trial's spec is {own}, not the {self.spec_id} it was given")
        self.shared.require_reachable()
        self.folder = RunFolder(self.shared.storage, self.spec_id)
        self.attempt = self.folder.claim()
        self.folder.write_json("spec.json", self.spec.flat())
        targets = self._targets if self.spec.taught and not self.spec.live else None
        live = self.classroom.live_teacher(self.spec.protocol) if self.spec.live else None
        run = PlainRun(self.spec, self.classroom.inputs(self.spec), targets, live)
        self.facts = {**go_on(run, self.folder, self.notes.append, self.facts), **self.shared.circumstances(run)}
        self._set_beside_teacher(run)
        self.resumed_epoch = len(run.history)
        self.run = run

    def _epoch(self) -> None:
        assert self.run is not None
        row = self.run.step_epoch()
        self.facts["train_seconds"] += row["epoch_seconds"]
        now = time.perf_counter()
        due = now - self.saved_at > self.save_seconds / CHECKPOINT_SHARE
        # a scheduler may stop the run after any epoch, and its row is then made from its checkpoint
        if not self.run.done and (due or self.shared.every_epoch or self._leaving(now)):
            self.folder.save_checkpoint(len(self.run.history), checkpoint.encode(self.run, self.facts))
            self.saved_at = time.perf_counter()
            self.save_seconds = self.saved_at - now

    def _leaving(self, now: float) -> bool:
        """Whether this node is about to go, as after a spot notice: then no epoch is to be lost."""
        if now - self.asked_at > ASK_NODE_S:
            self.asked_at, self.leaving = now, draining()
        return self.leaving

    def _targets(self, epoch: int) -> torch.Tensor:
        """The teacher's logits of an epoch, under the spec's control."""
        targets, seconds = self.classroom.targets(self.spec, epoch, self.spec_id)
        self.facts["teacher_seconds"] += seconds
        return targets

    def _set_beside_teacher(self, run: PlainRun) -> None:
        """Has the student's classes of the test images compared with the teacher's, also where it does not teach.

        An undistilled run may have begun in the sweep of another teacher: what it has of that one is dropped.
        """
        classes, seconds = self.classroom.teacher_classes(self.spec.protocol, self.spec_id)
        self.facts["teacher_seconds"] += seconds
        run.teacher_classes = classes
        teacher = self.shared.card.identity if self.shared.card and classes is not None else ""
        if self.facts.get("agreement_with", "") != teacher:
            for row in run.history:
                row.pop("teacher_agreement", None)
        self.facts["agreement_with"] = teacher

    def _end(self, status: str, error: str = "", kind: str = "") -> None:
        run = self.run
        ending = results.Ending(status, error, kind)
        circumstances = {**self.facts, "attempts": self.attempt}
        weights = None
        if run and status == "finished":
            weights = checkpoint.student_weights(run)
            circumstances["latency_seconds"] = latency(run.student, run.inputs, self.spec.precision)
        history = run.history if run else []
        self.folder.finish(results.result(self.spec_id, self.spec, ending, history, circumstances), weights)

    def _fail(self, error: Exception) -> dict[str, Any]:
        kind = "numbers" if isinstance(error, NumbersError) else "exception"
        line = one_line(error)
        if kind == "exception":
            traceback.print_exception(error)  # into the worker's log; the table gets the line
        try:
            if self.attempt:  # else the driver writes its result
                self._end("failed", line, kind)
        except Exception as second:
            line += f" (and its result could not be written: {one_line(second)})"
        return self._report("failed", line)

    def _report(self, status: str, error: str = "") -> dict[str, Any]:
        history = self.run.history if self.run else []
        last = history[-1] if history else {}
        rows, self.reported = history[self.reported :], len(history)
        notes, self.notes = self.notes, []
        return {
            "spec_id": self.spec_id,
            "status": status,
            "error": error,
            "epoch": int(last.get("epoch", 0)),
            "rows": rows,
            "notes": notes,
            "resumed_epoch": self.resumed_epoch,
            "resumed_values": [row[self.shared.metric] for row in history[: self.resumed_epoch]],
            "validation_accuracy": last.get("validation_accuracy", float("nan")),
            "test_accuracy": last.get("test_accuracy", float("nan")),
            "done": status != "running",
        }
