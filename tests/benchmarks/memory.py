"""Private memory of a node's second trial with a big teacher and data, beside that of a trial with neither.

The trials are the actors that a sweep starts, in a Ray cluster of this machine. Private is what the kernel counts as
Private_Clean + Private_Dirty: memory that would come back if the process ended.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import ray
from figures import Row
from pixels import cifar_sized, few

from kd_trainable import logits, shards, teacher
from kd_trainable.data.images import ImageData
from kd_trainable.data.inputs import Inputs
from kd_trainable.models.build import build, count_parameters
from kd_trainable.shards import Shard
from kd_trainable.spec import RunSpec
from kd_trainable.teacher import Card
from kd_trainable.tuning.classroom import Classroom
from kd_trainable.tuning.cluster import cluster
from kd_trainable.tuning.passes import Kept, PassBroker
from kd_trainable.tuning.plan import Names
from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.shared import Shared
from kd_trainable.tuning.store import Storage
from kd_trainable.tuning.temporary import own_folder
from kd_trainable.tuning.trainable import DistillationTrial
from kd_trainable.vocabulary import Pixels

EPOCHS, TARGET_MB = 3, 30
PASS_IMAGES = 500  # of a teacher pass: batches of it need what batches of a whole one do
AUGMENT = "crop4+flip"


class ShortPasses(Classroom):
    """Its teacher passes are short: what they cost in time is not what is measured here."""

    def _teacher_inputs(self, protocol: str) -> Inputs:
        inputs = super()._teacher_inputs(protocol)
        return replace(inputs, train=inputs.train[:PASS_IMAGES])

    def _compute(self, protocol: str, pixels: Pixels, shard: Shard, beat: Any) -> np.ndarray:
        computed = super()._compute(protocol, pixels, shard, beat)
        return computed if shard.test else _drawn(shard)


class Measured(DistillationTrial):
    """A trial that also tells what memory its process has to itself, in MB, by kind."""

    def setup(self, config: dict[str, Any], shared: dict[str, Shared]) -> None:
        super().setup(config, shared)
        self.classroom = ShortPasses(self.shared)

    def memory(self) -> dict[str, float]:
        """Private memory, and the part of it that is no file's."""
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
        kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        private = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
        return {"private": private * 1024 / 1e6, "anonymous": kilobytes["Anonymous"] * 1024 / 1e6}


def second_trial() -> list[Row]:
    """MB that a second trial has for itself, more than one without teacher and data; after set-up and after epochs."""
    with tempfile.TemporaryDirectory() as folder, own_folder() as own, cluster(Settings(), own):
        without = _second(_without_teacher(Storage(f"{folder}/without")))
        with_all = _second(_with_teacher(Storage(f"{folder}/with")))
    return [
        _row("after set-up", with_all[0], without[0], None),
        _row(f"after {EPOCHS} epochs and a teacher pass of {PASS_IMAGES} images", with_all[1], without[1], TARGET_MB),
    ]


def _row(when: str, ours: dict[str, float], without: dict[str, float], target: float | None) -> Row:
    more = ours["private"] - without["private"]
    note = f"{_shown(ours)}, beside {_shown(without)}"
    name = f"private memory of a second trial {when}, above one without teacher and data ({note})"
    goal = "–" if target is None else f"<= {target:g} MB"
    return Row(name, f"{more:.0f} MB", target=goal, met=None if target is None else more <= target)


def _shown(found: dict[str, float]) -> str:
    return f"{found['private']:.0f} MB, {found['anonymous']:.0f} of them anonymous"


def _without_teacher(storage: Storage) -> tuple[Shared, list[RunSpec]]:
    specs = [RunSpec(dataset="pixels:few", method="none", epochs=EPOCHS, seed=seed) for seed in (0, 1)]
    return _shared(storage, few(), None, None, {}), specs


def _with_teacher(storage: Storage) -> tuple[Shared, list[RunSpec]]:
    fields = {"dataset": "pixels:cifar_sized", "teacher": "resnet18", "augment": AUGMENT, "epochs": EPOCHS}
    specs = [RunSpec(**fields, temperature=t) for t in (1, 4)]
    data = cifar_sized()
    arrays = teacher.arrays_of(build("resnet18", 10, 3).state_dict())
    card = _card(data, arrays)
    folder = f"logits/{logits.folder_name(card, data.fingerprint(), 'holdout', Pixels(AUGMENT))}"
    needed, _ = shards.passes([0], EPOCHS, Pixels(AUGMENT))
    for shard in needed[:1]:  # the others are computed by the two trials, one by each
        storage.write(f"{folder}/{shard.file}", shards.encode(_drawn(shard)))
    broker = ray.remote(PassBroker).options(num_cpus=0).remote(storage, folder, needed)
    kept = {Pixels(AUGMENT): Kept(broker, folder, table=False)}
    return _shared(storage, data, card, ray.put(arrays), kept), specs


def _drawn(shard: Shard) -> np.ndarray:
    """Logits of the 45,000 images that train; that they are kept matters here, not what they are."""
    return np.random.default_rng(shard.epoch).normal(size=(45_000, 10)).astype(np.float16)


def _card(data: ImageData, arrays: teacher.Arrays) -> Card:
    mean, std = data.normalizations["dataset"]
    return Card(
        architecture="resnet18",
        dataset="pixels:cifar_sized",
        data_fingerprint=data.fingerprint(),
        classes=10,
        channels=3,
        normalization="dataset",
        mean=mean,
        std=std,
        fingerprint=teacher.fingerprint(arrays),
        parameters=count_parameters(build("resnet18", 10, 3)),
    )


def _shared(storage: Storage, data: ImageData, card: Card | None, arrays: Any, kept: dict[str, Kept]) -> Shared:
    return Shared(
        storage=storage,
        data=ray.put(data),
        data_fingerprint=data.fingerprint(),
        teacher=arrays,
        card=card,
        kept=kept,
        threads=1,
        gpus=0.0,
        metric="validation_accuracy",
        every_epoch=True,
    )


def _second(asked: tuple[Shared, list[RunSpec]]) -> tuple[dict[str, float], dict[str, float]]:
    """(after set-up, after its epochs) of the second of two trials on this machine."""
    shared, specs = asked
    names = Names(shared.data_fingerprint, shared.card.identity if shared.card else "")
    actors = [_start(shared, spec, names.name(spec)) for spec in specs]
    before = ray.get([actor.memory.remote() for actor in actors])[1]
    for _ in range(EPOCHS):
        for report in ray.get([actor.train.remote() for actor in actors]):
            if report["status"] not in ("running", "finished"):
                raise RuntimeError(report["error"])
    after = ray.get(actors[1].memory.remote())
    for actor in actors:
        ray.kill(actor)
    return before, after


def _start(shared: Shared, spec: RunSpec, name: str) -> Any:
    config = {**spec.flat(), "spec_id": name}
    bound = ray.tune.with_parameters(Measured, shared={"shared": shared})
    return ray.remote(bound).options(num_cpus=1).remote(config=config)
