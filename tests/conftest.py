"""What many tests share: one Ray cluster, one trained teacher, and short sweeps under it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import own_parts
import pandas as pd
import pytest
import torch
from short_runs import RECIPE, SHORT

torch.set_num_threads(1)  # what is trained here does not gain by two, and loses much where others have the cores


@pytest.fixture(scope="session")
def markers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where own_parts remembers its accidents; Ray's workers inherit the variable that says so."""
    folder = tmp_path_factory.mktemp("markers")
    os.environ[own_parts.MARKERS] = str(folder)
    return folder


@pytest.fixture(scope="session")
def cluster(markers: Path) -> Iterator[None]:
    """A Ray cluster of two processors, which every sweep of this session runs in."""
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a small teacher for the digits, trained once."""
    from kd_trainable.tuning.teach import trained_teacher

    _, folder = trained_teacher(RECIPE, str(tmp_path_factory.mktemp("teacher")), None, lambda line: None)
    return folder


@pytest.fixture
def short_sweep(cluster: None, teacher: str, tmp_path: Path) -> Callable[..., pd.DataFrame]:
    """``sweep`` in the shared cluster, under the shared teacher, by default of one cell of three short epochs."""
    from kd_trainable.tuning import sweep

    def call(name: str = "short", **asked: Any) -> pd.DataFrame:
        given = {**SHORT, "teacher": teacher, "storage": str(tmp_path / "results"), "say": lambda line: None, **asked}
        return sweep(name, **given)

    return call
