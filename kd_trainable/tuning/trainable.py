"""One run as a Ray Tune trial: takes the run's lease, goes on from its newest checkpoint, trains, writes its result."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from kd_trainable import logits, shards
from kd_trainable import teacher as teachers
from kd_trainable.data.inputs import Inputs, make_inputs, wants_channels_last
from kd_trainable.engine import checkpoint
from kd_trainable.engine.guides import LiveTeacher
from kd_trainable.engine.plain import NumbersError, PlainRun
from kd_trainable.engine.process import give_back_memory, prepare_process
from kd_trainable.methods.controls import controlled
from kd_trainable.models.build import count_parameters
from kd_trainable.shards import Shard
from kd_trainable.spec import RunSpec, spec_id
from kd_trainable.tuning import passes, results
from kd_trainable.tuning.passes import Kept
from kd_trainable.tuning.resume import go_on
from kd_trainable.tuning.store import Fenced, RunFolder, Storage
from kd_trainable.tuning.text import device_name, one_line
from kd_trainable.vocabulary import Pixels

CHECKPOINT_SHARE = 0.05  # of the time may go into writing checkpoints
REPORT_S = 1.0  # without a scheduler, epochs shorter than this are reported together


@dataclass(frozen=True)
class Shared:
    """What all trials of a sweep share: references into the object store, and how the sweep is run."""

    storage: Storage
    data: ray.ObjectRef
    data_fingerprint: str
    teacher: ray.ObjectRef | None
    card: teachers.Card | None
    kept: Mapping[Pixels, Kept]
    threads: int
    gpu: bool
    metric: str
    every_epoch: bool  # a scheduler wants to hear of each
    path: tuple[str, ...] = ()  # where the driver finds a person's own modules, so that trials find them too


class DistillationTrial(tune.Trainable):
    """Tune's view of a run. ``config`` is the spec, flat, and its spec_id; actors are reused by ``reset_config``."""

    def setup(self, config: dict[str, Any], shared: dict[str, Shared]) -> None:
        self.shared = shared["shared"]
        sys.path += [folder for folder in self.shared.path if folder not in sys.path]
        prepare_process(self.shared.threads)
        self.device = torch.device("cuda" if self.shared.gpu else "cpu")
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
        self.attempt, self.resumed_epoch = 0, 0
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
            self._require_unchanged()
        run = PlainRun(self.spec, self._inputs_for(self.spec.normalization), targets, live)
        self.facts = {**go_on(run, self.folder, self.facts), **self._circumstances()}
        self.facts["parameters"] = count_parameters(run.student)
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
            own = torch.from_numpy(self._compute_pass(Shard(spec.seed, epoch), lambda: None))
            self.facts["teacher_seconds"] += time.perf_counter() - began
            return controlled(own, spec.control, spec.seed)
        wanted = shards.shards_of(spec.seed, epoch, spec.pixels, kept.table)
        fetched, seconds = passes.fetch(kept.broker, self.spec_id, wanted, self._compute_pass, self._store_pass)
        self.facts["teacher_seconds"] += seconds
        own = logits.of_epoch(fetched, spec.seed, epoch, spec.pixels, kept.table)
        return controlled(own, spec.control, spec.seed)

    def _teacher(self) -> torch.nn.Module:
        """The teacher on this trial's device, made once an actor."""
        assert self.shared.card is not None
        if self._module is None:
            self._module = teachers.rebuild(self.shared.card, ray.get(self.shared.teacher)).to(self.device)
        return self._module

    def _require_unchanged(self) -> None:
        card = self.shared.card
        if card is not None and teachers.fingerprint(ray.get(self.shared.teacher)) != card.fingerprint:
            raise RuntimeError("the teacher's weights in the object store have changed")

    def _compute_pass(self, shard: Shard, beat: Any) -> Any:
        computed = logits.compute(self._teacher(), self._inputs_for(None), self.spec.pixels, shard, beat)
        self._require_unchanged()
        give_back_memory()
        return computed

    def _store_pass(self, shard: Shard, computed: Any) -> None:
        folder = self.shared.kept[self.spec.pixels].folder
        self.shared.storage.write(f"{folder}/{shard.file}", shards.encode(computed))

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

    def _circumstances(self) -> dict[str, Any]:
        """What a row says of where and under whom a run ran; checkpoints carry it."""
        card = self.shared.card if self.spec.taught else None
        return {
            "device": device_name(self.device),
            "threads": self.shared.threads,
            "data_fingerprint": self.shared.data_fingerprint,
            "teacher_fingerprint": card.fingerprint if card else "",
            "teacher_saw_validation": card.saw_validation() if card else "",
        }

    def _end(self, status: str, error: str = "", kind: str = "") -> None:
        run = self.run
        ending = results.Ending(status, error, kind)
        circumstances = {**self.facts, "attempts": self.attempt}
        weights = checkpoint.student_weights(run) if run and status == "finished" else None
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
        return {
            "spec_id": self.spec_id,
            "status": status,
            "error": error,
            "epoch": int(last.get("epoch", 0)),
            "resumed_epoch": self.resumed_epoch,
            "resumed_values": [row[self.shared.metric] for row in history[: self.resumed_epoch]],
            "validation_accuracy": last.get("validation_accuracy", float("nan")),
            "test_accuracy": last.get("test_accuracy", float("nan")),
            "done": status != "running",
        }
