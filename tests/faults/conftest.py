"""What the tests of faults share: the sweep as it is when nothing happens to it; and the page they write."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import sweeping
from ledger import MEASURED, RECORDED
from page import page

TIMEOUT_S = 1200  # a sweep is a minute where two cores have nothing else to do, and ten where they have


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives each test of a fault that long, unless it says otherwise."""
    for item in items:
        if item.get_closest_marker("fault") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of the sweep to which nothing was done."""
    results = tmp_path_factory.mktemp("undisturbed") / "results"
    sweeping.complete(results)
    assert set(sweeping.table(results)["status"]) == {"finished"}
    assert len(sweeping.table(results)) == sweeping.RUNS
    return results


@pytest.fixture(autouse=True)
def nothing_outlives_a_test() -> Iterator[None]:
    """Ends what a test that failed has left, so that the next one finds none of it."""
    before = set(sweeping.processes())
    yield
    for process in (left := set(sweeping.processes()) - before):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=10)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Writes the page that --write-reliability names, if every test of the session went through."""
    path = session.config.getoption("--write-reliability", None)
    if path and exitstatus == 0 and RECORDED:
        Path(path).write_text(page(RECORDED, MEASURED), encoding="utf-8")
