"""What the tests of MLflow share: a store of their own."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from kd_trainable.tuning.loggers.mlflow import USUAL


@pytest.fixture
def own_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No server of the environment's is written to; what MLflow makes of variables and loggers is undone."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name, value in USUAL.items():
        monkeypatch.setenv(name, value)
    levels = {name: logging.getLogger(name).level for name in ("mlflow", "alembic")}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
