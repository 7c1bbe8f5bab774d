"""One run as a Ray Tune trial: takes the run's lease, goes on from its newest checkpoint, trains, writes its result."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from ray import tune

from kd_trainable import logits, shards
from kd_trainable import teacher as teachers
from kd_trainable.data.inputs import Inputs, make_inputs, wants_channels_last
from kd_trainable.engine import checkpoint
from kd_trainable.engine.evaluate import latency
from kd_trainable.engine.guides import LiveTeacher
from kd_trainable.engine.plain import NumbersError, PlainRun
from kd_trainable.engine.process import give_back_memory, prepare_process
from kd_trainable.methods.controls import controlled
from kd_trainable.shards import TEST, Shard
from kd_trainable.spec import RunSpec, spec_id
from kd_trainable.tuning import passes, results
from kd_trainable.tuning.passes import Kept
from kd_trainable.tuning.resume import go_on
from kd_trainable.tuning.shared import Shared
from kd_trainable.tuning.store import Fenced, RunFolder
from kd_trainable.tuning.text import one_line
from kd_trainable.vocabulary import Pixels

CHECKPOINT_SHARE = 0.05  # of the time may go into writing checkpoints
REPORT_S = 1.0  # without a scheduler, epochs shorter than this are reported together


class DistillationTrial(tune.Trainable):
    """Tune's view of a run. ``config`` is the spec, flat, and its spec_id; actors are reused by ``reset_config``."""

    def setup(self, config: dict[str, Any], shared: dict[str, Shared]) -> None:
        self.shared = shared["shared"]
        sys.path += [folder for folder in self.shared.path if folder not in sys.path]
        prepare_process(self.shared.threads)
        self.device = self.shared.device
        self.data = ray.get(self.shared.data)
        self._inputs: dict[str, Inputs] = {}
        self._module: torch.nn.Module | None = None
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
        self.folder = RunFolder(self.shared.storage, self.spec_id)
        self.attempt = self.folder.claim()
        self.folder.write_json("spec.json", self.spec.flat())
        targets = self._targets if self.spec.taught and not self.spec.live else None
        live = LiveTeacher(self._teacher(), self._inputs_for(None)) if self.spec.live else None
        if live:
            self.shared.require_unchanged()
        run = PlainRun(self.spec, self._inputs_for(self.spec.normalization), targets, live)
        self.facts = {**go_on(run, self.folder, self.facts), **self.shared.circumstances(run)}
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
        if not self.run.done and (due or self.shared.every_epoch):
            self.folder.save_checkpoint(len(self.run.history), checkpoint.encode(self.run, self.facts))
            self.saved_at = time.perf_counter()
            self.save_seconds = self.saved_at - now

    def _targets(self, epoch: int) -> torch.Tensor:
        """The teacher's logits of an epoch, under the spec's control."""
        spec, kept = self.spec, self.shared.kept.get(self.spec.pixels)
        if kept is None:  # pixels that a searcher drew from a range: nobody else will see the same
            began = time.perf_counter()
            own = torch.from_numpy(self._compute_pass(spec.pixels, Shard(spec.seed, epoch), lambda: None))
            self.facts["teacher_seconds"] += time.perf_counter() - began
            return controlled(own, spec.control, spec.seed)
        wanted = shards.shards_of(spec.seed, epoch, spec.pixels, kept.table)
        own = logits.of_epoch(self._fetch(spec.pixels, wanted), spec.seed, epoch, spec.pixels, kept.table)
        return controlled(own, spec.control, spec.seed)

    def _fetch(self, pixels: Pixels, wanted: Sequence[Shard]) -> dict[Shard, np.ndarray]:
        """Kept shards of these pixels, computing what is missing."""
        kept = self.shared.kept[pixels]
        compute, store = partial(self._compute_pass, pixels), partial(self._store_pass, kept)
        fetched, seconds = passes.fetch(kept.broker, self.spec_id, wanted, compute, store)
        self.facts["teacher_seconds"] += seconds
        return fetched

    def _set_beside_teacher(self, run: PlainRun) -> None:
        """Has the student's classes of the test images compared with the teacher's, also where it does not teach.

        An undistilled run may have begun in the sweep of another teacher: what it has of that one is dropped.
        """
        classes = self._teacher_classes()
        run.teacher_classes = classes
        teacher = self.shared.card.identity if self.shared.card and classes is not None else ""
        if self.facts.get("agreement_with", "") != teacher:
            for row in run.history:
                row.pop("teacher_agreement", None)
        self.facts["agreement_with"] = teacher

    def _teacher_classes(self) -> torch.Tensor | None:
        """The teacher's classes of the test images, by its kept logits, so that all runs compare with the same."""
        if self.shared.card is None or not self.shared.kept:
            return None
        try:
            found = self._fetch(next(iter(self.shared.kept)), [TEST])[TEST]
        except ValueError:  # logits that float16 cannot hold: a run that does not learn from them can do without
            return None
        return torch.from_numpy(found.argmax(1)).to(self.device)  # numpy's: of equal logits the first, on all devices

    def _teacher(self) -> torch.nn.Module:
        """The teacher on this trial's device, made once an actor."""
        assert self.shared.card is not None
        if self._module is None:
            self._module = teachers.rebuild(self.shared.card, ray.get(self.shared.teacher)).to(self.device)
        return self._module

    def _compute_pass(self, pixels: Pixels, shard: Shard, beat: Any) -> np.ndarray:
        computed = logits.compute(self._teacher(), self._inputs_for(None), pixels, shard, beat)
        self.shared.require_unchanged()
        give_back_memory()
        return computed

    def _store_pass(self, kept: Kept, shard: Shard, computed: np.ndarray) -> None:
        self.shared.storage.write(f"{kept.folder}/{shard.file}", shards.encode(computed))

    def _inputs_for(self, normalization: str | None) -> Inputs:
        """The data as the student sees it; with None, as the teacher does: in its own normalisation and float32.

        The images lie on the device once for each protocol: the rest is how they are read.
        """
        precision, protocol = "float32" if normalization is None else self.spec.precision, self.spec.protocol
        first = next(iter(self.data.normalizations))
        if protocol not in self._inputs:
            self._inputs[protocol] = make_inputs(self.data, protocol, first, self.device, False)
        mean, std = self.data.normalizations[normalization or first]
        if normalization is None and self.shared.card is not None:
            mean, std = self.shared.card.mean, self.shared.card.std
        layout = wants_channels_last(self.device, precision)
        return replace(self._inputs[protocol], mean=mean, std=std, channels_last=layout)

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
        return {
            "spec_id": self.spec_id,
            "status": status,
            "error": error,
            "epoch": int(last.get("epoch", 0)),
            "rows": rows,
            "resumed_epoch": self.resumed_epoch,
            "resumed_values": [row[self.shared.metric] for row in history[: self.resumed_epoch]],
            "validation_accuracy": last.get("validation_accuracy", float("nan")),
            "test_accuracy": last.get("test_accuracy", float("nan")),
            "done": status != "running",
        }
