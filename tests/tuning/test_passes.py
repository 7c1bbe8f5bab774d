"""The broker of teacher passes: each computed once, by somebody who waits for it; those that lie there, never."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kd_trainable import shards
from kd_trainable.shards import Shard
from kd_trainable.tuning import passes
from kd_trainable.tuning.passes import LOOK_AHEAD, SILENCE_S, PassBroker
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError, Pixels

FOLDER = "logits/x"
NEEDED = shards.passes([0, 1], 3, Pixels("crop4+flip"))[0]


@pytest.fixture(autouse=True)
def no_object_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference is the object itself."""
    monkeypatch.setattr(passes.ray, "put", lambda value: value)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path))


@pytest.fixture
def broker(storage: Storage) -> PassBroker:
    return PassBroker(storage, FOLDER, NEEDED)


def some_logits(shard: Shard) -> np.ndarray:
    return np.full((4, 10), shard.seed * 10 + shard.epoch, np.float16)


def store(storage: Storage, shard: Shard) -> None:
    storage.write(f"{FOLDER}/{shard.file}", shards.encode(some_logits(shard)))


def finish(broker: PassBroker, holder: str, shard: Shard) -> None:
    store(broker.storage, shard)
    broker.done(holder, shard)


class TestAsking:
    def test_who_asks_first_computes_and_then_has_it(self, broker: PassBroker) -> None:
        assert broker.ask("a", [Shard(0, 0)]) == ("compute", Shard(0, 0))
        finish(broker, "a", Shard(0, 0))
        answer, found = broker.ask("a", [Shard(0, 0)])
        assert answer == "ready"
        assert (found[0] == some_logits(Shard(0, 0))).all()

    def test_a_pass_that_somebody_computes_is_not_computed_twice(self, broker: PassBroker) -> None:
        broker.ask("a", [Shard(0, 0)])
        answer, shard = broker.ask("b", [Shard(0, 0)])
        assert answer == "compute"
        assert shard != Shard(0, 0)  # one that is needed soon: who waits makes himself useful

    def test_who_waits_when_all_is_held_or_there(self, storage: Storage) -> None:
        broker = PassBroker(storage, FOLDER, NEEDED[:2])
        assert [broker.ask(who, [NEEDED[0]])[0] for who in ("a", "b", "c")] == ["compute", "compute", "wait"]
        finish(broker, "a", NEEDED[0])
        assert broker.ask("c", [NEEDED[0]])[0] == "ready"

    def test_every_pass_is_computed_exactly_once_however_many_ask(self, broker: PassBroker) -> None:
        computed: list[Shard] = []
        for epoch in range(3):
            for seed in (0, 1):
                for holder in ("a", "b", "c"):
                    while (answer := broker.ask(holder, [Shard(seed, epoch)]))[0] == "compute":
                        computed.append(answer[1])
                        finish(broker, holder, answer[1])
                    assert answer[0] == "ready"
        assert sorted(computed) == sorted(NEEDED)
        assert broker.counts() == (6, 6, 6)

    def test_a_full_table_is_ready_when_all_views_are(self, storage: Storage) -> None:
        table = shards.passes([0], 9, Pixels("flip"))[0]
        broker = PassBroker(storage, FOLDER, table)
        assert broker.ask("a", table) == ("compute", table[0])
        finish(broker, "a", table[0])
        assert broker.ask("a", table) == ("compute", table[1])
        finish(broker, "a", table[1])
        assert broker.ask("a", table)[0] == "ready"

    def test_it_looks_ahead_only_so_far(self, storage: Storage) -> None:
        many = shards.passes([0], 160, Pixels("crop4+flip"))[0]
        broker = PassBroker(storage, FOLDER, many)
        answers = [broker.ask(f"trial {i}", [many[0]])[0] for i in range(LOOK_AHEAD + 5)]
        assert answers == ["compute"] * LOOK_AHEAD + ["wait"] * 5

    def test_a_pass_outside_the_plan_is_computed_too(self, broker: PassBroker) -> None:
        assert broker.ask("a", [Shard(9, 9)]) == ("compute", Shard(9, 9))


class TestKept:
    def test_passes_of_earlier_sweeps_are_not_computed(self, storage: Storage) -> None:
        for shard in NEEDED:
            store(storage, shard)
        broker = PassBroker(storage, FOLDER, NEEDED)
        assert broker.counts() == (0, 6, 6)
        assert {broker.ask("a", [shard])[0] for shard in NEEDED} == {"ready"}

    @pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: b"", lambda c: c[:-40] + b"0" * 40])
    def test_a_shard_that_is_cut_short_or_changed_is_computed_anew(self, storage: Storage, damage: Any) -> None:
        storage.write(f"{FOLDER}/{Shard(0, 0).file}", damage(shards.encode(some_logits(Shard(0, 0)))))
        broker = PassBroker(storage, FOLDER, NEEDED)
        assert broker.ask("a", [Shard(0, 0)]) == ("compute", Shard(0, 0))

    def test_a_shard_that_was_deleted_meanwhile_is_computed_anew(self, storage: Storage) -> None:
        store(storage, Shard(0, 0))
        broker = PassBroker(storage, FOLDER, NEEDED)
        storage.delete(f"{FOLDER}/{Shard(0, 0).file}")
        assert broker.ask("a", [Shard(0, 0)])[0] == "compute"


class TestHoldersThatDie:
    def test_one_that_asks_again_has_died_and_come_back(self, broker: PassBroker) -> None:
        broker.ask("a", [Shard(0, 0)])
        assert broker.ask("a", [Shard(0, 0)]) == ("compute", Shard(0, 0))

    def test_one_that_is_silent_for_long_is_taken_for_dead(
        self, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broker, now = PassBroker(storage, FOLDER, NEEDED[:1]), time.monotonic()
        broker.ask("a", NEEDED[:1])
        monkeypatch.setattr(passes.time, "monotonic", lambda: now + SILENCE_S / 2)
        assert broker.ask("b", NEEDED[:1])[0] == "wait"
        broker.beat("a")
        monkeypatch.setattr(passes.time, "monotonic", lambda: now + SILENCE_S * 1.4)
        assert broker.ask("b", NEEDED[:1])[0] == "wait"
        monkeypatch.setattr(passes.time, "monotonic", lambda: now + SILENCE_S * 1.6)
        assert broker.ask("b", NEEDED[:1]) == ("compute", NEEDED[0])


class TestFetching:
    def test_what_the_driver_does_not_find_is_not_computed_for_ever(
        self, broker: PassBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As on a node that has another disk where the driver has the results folder."""
        monkeypatch.setattr(passes.ray, "get", lambda value: value)
        own, computed = Storage(str(tmp_path / "own disk")), []

        def compute(shard: Shard, beat: Any) -> np.ndarray:
            computed.append(shard)
            return some_logits(shard)

        with pytest.raises(InputError, match="was written here and the driver misses it: is the folder shared"):
            passes.fetch(Remote(broker), "a", NEEDED[:1], compute, lambda shard, logits: store(own, shard))
        assert computed == NEEDED[:1]
        assert broker.held == {}


class Remote:
    """Calls an object's methods as if it were an actor."""

    def __init__(self, target: Any) -> None:
        self.target = target

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=getattr(self.target, name))
