"""What many tests share: one Ray cluster, one trained teacher, and short sweeps under it."""

from __future__ import annotations

import logging
import os
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import own_parts
import pandas as pd
import pytest
import torch
from short_runs import RECIPE, SHORT

torch.set_num_threads(1)  # what is trained here does not gain by two, and loses much where others have the cores


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of tests/faults. With a space for its "=", pytest would take FILE for where to begin, not here."""
    parser.addoption("--write-reliability", metavar="FILE", help="write what the tests of faults recorded")


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


@pytest.fixture(scope="session")
def short_sweep(cluster: None, teacher: str) -> Callable[..., pd.DataFrame]:
    """``sweep`` in the shared cluster, by default of one cell of three short epochs under the shared teacher."""
    from kd_trainable.tuning import sweep

    def call(storage: Path, **asked: Any) -> pd.DataFrame:
        given = {**SHORT, "storage": str(storage), "say": lambda line: None, **asked}
        if "teacher_recipe" not in given:
            given.setdefault("teacher", teacher)
        return sweep(**{"name": "short", **given})

    return call


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, whoever starts a cluster, a driver or a teacher's training fails the test."""
    import ray

    from kd_trainable.tuning import driver, teachers

    def started(*arguments: Any, **further: Any) -> None:
        raise AssertionError("something was started")

    for where, name in ((ray, "init"), (driver, "run"), (teachers, "train")):
        monkeypatch.setattr(where, name, started)


@pytest.fixture
def refused(
    nothing_starts: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Runs a sweep's command line that must be refused, in an empty folder; returns its one line."""
    script = runpy.run_path(str(Path(__file__).parent.parent / "sweeps" / "digits_grid.py"))
    from kd_trainable.tuning.main import main

    workplace = tmp_path / "workplace"
    workplace.mkdir()
    monkeypatch.chdir(workplace)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*argv: str) -> str:
        with pytest.raises(SystemExit) as end:
            main("digits_grid", script["__doc__"], script["PRESETS"], script["summarise"], argv)
        out, err = capfd.readouterr()
        assert (end.value.code, out) == (2, ""), err
        assert err.startswith("digits_grid.py: error: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1
        assert "usage:" not in err
        assert list(workplace.iterdir()) == []
        return err

    return run
