"""A storage brings its credentials along to workers whose nodes do not have them."""

from __future__ import annotations

import os
import pickle

import pytest
from faults.object_store import object_store

from kd_trainable.tuning.objects import CREDENTIALS
from kd_trainable.tuning.store import Storage


def test_a_worker_without_them_gets_the_drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    with object_store() as uri:
        storage = Storage(uri)
        storage.write("a", b"content")
        travelling = pickle.dumps(storage)
        for name in CREDENTIALS:
            monkeypatch.delenv(name, raising=False)
        arrived: Storage = pickle.loads(travelling)
        assert os.environ["AWS_SECRET_ACCESS_KEY"] == "testing"
        assert arrived.read("a") == b"content"


def test_a_worker_that_has_its_own_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with object_store() as uri:
        travelling = pickle.dumps(Storage(uri))
        for name in CREDENTIALS:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "own")
        pickle.loads(travelling)
        assert {name: os.environ[name] for name in CREDENTIALS if name in os.environ} == {"AWS_ACCESS_KEY_ID": "own"}


def test_a_local_folder_takes_none_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of no concern here")
    assert b"of no concern" not in pickle.dumps(Storage("results"))
