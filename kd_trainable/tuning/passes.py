"""Who computes which teacher pass: a light actor hands passes to the trials that wait for them, and keeps the shards.

A pass runs inside a trial that needs it (or one soon needed), on that trial's own CPUs and GPU: so it can never
wait for a resource that trials hold, costs the head nothing, and no trial idles while a pass is missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray

from kd_trainable import shards
from kd_trainable.shards import Shard
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError

LOOK_AHEAD = 16  # passes beyond the wanted ones that may be handed to a waiting trial
SILENCE_S = 90.0  # a holder that has not beaten for so long is taken for dead
POLL_S = 0.1


@dataclass(frozen=True)
class Kept:
    """The teacher's kept logits of one kind of pixels: who hands out passes, where they lie, table or stream."""

    broker: Any
    folder: str
    table: bool


class PassBroker:
    """Knows every shard's state: kept (a reference), held by somebody, or missing. Computes nothing itself."""

    def __init__(self, storage: Storage, folder: str, needed: Sequence[Shard]) -> None:
        self.storage, self.folder, self.needed = storage, folder, list(needed)
        self.stored = set(storage.names(folder))
        self.kept: dict[Shard, Any] = {}
        self.held: dict[Shard, tuple[str, float]] = {}
        self.computed = 0

    def ask(self, holder: str, wanted: Sequence[Shard]) -> tuple[str, Any]:
        """('ready', references) of the wanted shards, or ('compute', a shard), or ('wait', None).

        A holder that asks again computes nothing now, so what it held is free.
        """
        self.held = {s: h for s, h in self.held.items() if h[0] != holder and _alive(h)}
        missing = [shard for shard in wanted if not self._keep(shard)]
        if not missing:
            return "ready", [self.kept[shard] for shard in wanted]
        for shard in [*missing, *self._ahead(missing)]:
            if shard not in self.held:
                self.held[shard] = (holder, time.monotonic())
                return "compute", shard
        return "wait", None

    def beat(self, holder: str) -> None:
        """The holder is alive and computing."""
        self.held = {s: (h, time.monotonic() if h == holder else t) for s, (h, t) in self.held.items()}

    def drop(self, holder: str) -> None:
        """The holder computes nothing any more."""
        self.held = {s: h for s, h in self.held.items() if h[0] != holder}

    def done(self, holder: str, shard: Shard) -> None:
        """The holder has stored its shard."""
        self.computed += not shard.test
        self.stored.add(shard.file)
        self.held.pop(shard, None)

    def counts(self) -> tuple[int, int, int]:
        """(passes computed in this sweep, passes kept, passes needed), over the training split."""
        needed = [shard for shard in self.needed if not shard.test]
        return self.computed, sum(shard.file in self.stored for shard in needed), len(needed)

    def _keep(self, shard: Shard) -> bool:
        if shard in self.kept:
            return True
        content = self.storage.read(f"{self.folder}/{shard.file}") if shard.file in self.stored else None
        if content is None:
            return False
        try:
            self.kept[shard] = ray.put(shards.decode(content))
        except ValueError:  # cut short: as if it were not there
            self.stored.discard(shard.file)
            return False
        return True

    def _ahead(self, missing: Sequence[Shard]) -> list[Shard]:
        if missing[0] not in self.needed:
            return []
        start = self.needed.index(missing[0])
        ahead = self.needed[start : start + LOOK_AHEAD]
        return [s for s in ahead if s.file not in self.stored and s not in missing]


def fetch(
    broker: Any,
    holder: str,
    wanted: Sequence[Shard],
    compute: Callable[[Shard, Callable[[], None]], np.ndarray],
    store: Callable[[Shard, np.ndarray], None],
) -> tuple[dict[Shard, np.ndarray], float]:
    """The wanted shards, computing passes while others are missing; and the seconds spent on computing.

    Raises InputError where the broker, on the driver's node, does not find what was stored here.
    """
    spent, made = 0.0, set[Shard]()
    while True:
        answer, what = ray.get(broker.ask.remote(holder, list(wanted)))
        if answer == "ready":
            return dict(zip(wanted, ray.get(what), strict=True)), spent
        if answer == "wait":
            time.sleep(POLL_S)
            continue
        if what in made:
            broker.drop.remote(holder)
            raise InputError(f"storage: {what.file} was written here and the driver misses it: is the folder shared?")
        made.add(what)
        began = time.perf_counter()
        try:
            store(what, compute(what, _beats(broker, holder)))
        except BaseException:
            broker.drop.remote(holder)  # or others would wait for it until it is taken for dead
            raise
        ray.get(broker.done.remote(holder, what))
        spent += time.perf_counter() - began


def _beats(broker: Any, holder: str, every_s: float = 5.0) -> Callable[[], None]:
    last = time.monotonic()

    def beat() -> None:
        nonlocal last
        if time.monotonic() - last > every_s:
            last = time.monotonic()
            broker.beat.remote(holder)

    return beat


def _alive(held: tuple[str, float]) -> bool:
    return time.monotonic() - held[1] < SILENCE_S
