"""What a trial's actor keeps from run to run: the data on its device, the teacher, the passes it fetches or makes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import ray
import torch

from kd_trainable import logits, shards
from kd_trainable import teacher as teachers
from kd_trainable.data.inputs import Inputs, make_inputs, wants_channels_last
from kd_trainable.engine.guides import LiveTeacher
from kd_trainable.engine.process import give_back_memory
from kd_trainable.methods.controls import controlled
from kd_trainable.shards import TEST, Shard
from kd_trainable.spec import RunSpec
from kd_trainable.tuning import passes
from kd_trainable.tuning.passes import Kept
from kd_trainable.tuning.shared import Shared
from kd_trainable.vocabulary import Pixels


class Classroom:
    """``holder`` names who computes a pass meanwhile; seconds are those spent on passes."""

    def __init__(self, shared: Shared) -> None:
        self.shared, self.device = shared, shared.device
        self.data = ray.get(shared.data)
        self._inputs: dict[str, Inputs] = {}
        self._module: torch.nn.Module | None = None

    def inputs(self, spec: RunSpec) -> Inputs:
        """The data as the student sees it."""
        mean, std = self.data.normalizations[spec.normalization]
        return self._read(spec.protocol, spec.precision, mean, std)

    def live_teacher(self, protocol: str) -> LiveTeacher:
        """The teacher beside its images, its weights found unchanged."""
        self.shared.require_unchanged()
        return LiveTeacher(self._teacher(), self._teacher_inputs(protocol))

    def targets(self, spec: RunSpec, epoch: int, holder: str) -> tuple[torch.Tensor, float]:
        """The teacher's logits of an epoch [N, K], under the spec's control, and the seconds spent."""
        kept = self.shared.kept.get(spec.pixels)
        if kept is None:  # pixels that a searcher drew from a range: nobody else will see the same
            began = time.perf_counter()
            own = torch.from_numpy(self._compute(spec.protocol, spec.pixels, Shard(spec.seed, epoch), lambda: None))
            return controlled(own, spec.control, spec.seed), time.perf_counter() - began
        wanted = shards.shards_of(spec.seed, epoch, spec.pixels, kept.table)
        fetched, seconds = self._fetch(spec.protocol, spec.pixels, wanted, holder)
        own = logits.of_epoch(fetched, spec.seed, epoch, spec.pixels, kept.table)
        return controlled(own, spec.control, spec.seed), seconds

    def teacher_classes(self, protocol: str, holder: str) -> tuple[torch.Tensor | None, float]:
        """The teacher's classes of the test images, by its kept logits, so that all runs compare with the same."""
        if self.shared.card is None or not self.shared.kept:
            return None, 0.0
        try:
            fetched, seconds = self._fetch(protocol, next(iter(self.shared.kept)), [TEST], holder)
        except ValueError:  # logits that float16 cannot hold: a run that does not learn from them can do without
            return None, 0.0
        # numpy's: of equal logits the first, on all devices
        return torch.from_numpy(fetched[TEST].argmax(1)).to(self.device), seconds

    def _fetch(
        self, protocol: str, pixels: Pixels, wanted: Sequence[Shard], holder: str
    ) -> tuple[dict[Shard, np.ndarray], float]:
        """Kept shards of these pixels, computing what is missing; and the seconds spent on that."""
        kept = self.shared.kept[pixels]
        compute, store = partial(self._compute, protocol, pixels), partial(self._store, kept)
        return passes.fetch(kept.broker, holder, wanted, compute, store)

    def _compute(self, protocol: str, pixels: Pixels, shard: Shard, beat: Any) -> np.ndarray:
        computed = logits.compute(self._teacher(), self._teacher_inputs(protocol), pixels, shard, beat)
        self.shared.require_unchanged()
        give_back_memory()
        return computed

    def _store(self, kept: Kept, shard: Shard, computed: np.ndarray) -> None:
        self.shared.storage.write(f"{kept.folder}/{shard.file}", shards.encode(computed))

    def _teacher(self) -> torch.nn.Module:
        """The teacher on this trial's device, made once an actor."""
        assert self.shared.card is not None
        if self._module is None:
            self._module = teachers.rebuild(self.shared.card, ray.get(self.shared.teacher)).to(self.device)
        return self._module

    def _teacher_inputs(self, protocol: str) -> Inputs:
        """The data as the teacher sees it: in its own normalisation and float32."""
        assert self.shared.card is not None
        return self._read(protocol, "float32", self.shared.card.mean, self.shared.card.std)

    def _read(self, protocol: str, precision: str, mean: tuple[float, ...], std: tuple[float, ...]) -> Inputs:
        """The images lie on the device once for each protocol: the rest is how they are read."""
        if protocol not in self._inputs:
            first = next(iter(self.data.normalizations))
            self._inputs[protocol] = make_inputs(self.data, protocol, first, self.device, False)
        layout = wants_channels_last(self.device, precision)
        return replace(self._inputs[protocol], mean=mean, std=std, channels_last=layout)
