"""What all trials of a sweep share: references into the object store, and how the sweep is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ray
import torch

from kd_trainable.engine.plain import PlainRun
from kd_trainable.models.build import count_parameters
from kd_trainable.teacher import Card, fingerprint
from kd_trainable.tuning.passes import Kept
from kd_trainable.tuning.store import Storage
from kd_trainable.tuning.text import device_name
from kd_trainable.vocabulary import InputError, Pixels


@dataclass(frozen=True)
class Shared:
    """References into the object store, and how the sweep is run. Where there is a teacher, something is kept of it."""

    storage: Storage
    data: ray.ObjectRef
    data_fingerprint: str
    teacher: ray.ObjectRef | None
    card: Card | None
    kept: Mapping[Pixels, Kept]
    threads: int
    gpus: float  # of a trial; 0 on a CPU
    metric: str
    every_epoch: bool  # a scheduler wants to hear of each
    home: str = ""  # the driver's node; '' where all nodes reach the storage
    path: tuple[str, ...] = ()  # where the driver finds a person's own modules, so that trials find them too

    @property
    def device(self) -> torch.device:
        """Where a trial computes."""
        return torch.device("cuda" if self.gpus else "cpu")

    def require_reachable(self) -> None:
        """Raises InputError on a node that came later and does not have the folder, which is on the driver's disk."""
        if self.home and ray.get_runtime_context().get_node_id() != self.home:
            raise InputError(
                f"storage: {self.storage.uri} is a folder of the driver's machine, and this run is on another; "
                f"name a folder that all share as file://{self.storage.path()}, or a URI such as s3://bucket/results"
            )

    def require_unchanged(self) -> None:
        """Raises RuntimeError unless the teacher's weights in the object store are still those of its card."""
        if self.card is not None and fingerprint(ray.get(self.teacher)) != self.card.fingerprint:
            raise RuntimeError("the teacher's weights in the object store have changed")

    def circumstances(self, run: PlainRun) -> dict[str, Any]:
        """What a result says of a run beside its spec and its numbers; checkpoints carry it.

        ``sees``: what the student takes, for whoever uses it later where the data is not at hand.
        """
        card, inputs = self.card if run.spec.taught else None, run.inputs
        shape = list(inputs.images.shape[1:])
        return {
            "parameters": count_parameters(run.student),
            "sees": {"shape": shape, "classes": inputs.classes, "mean": inputs.mean, "std": inputs.std},
            "device": device_name(self.device),
            "threads": self.threads,
            "gpus": self.gpus,
            "data_fingerprint": self.data_fingerprint,
            "teacher_fingerprint": card.fingerprint if card else "",
            "teacher_saw_validation": card.saw_validation() if card else "",
        }
