"""A process's temporary folders: where Ray would have them, gone with the process however it ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kd_trainable.tuning.temporary import LOCK, PREFIX, own_folder, remove_abandoned, small_folder

HOLDS = """
import os, signal, sys
from kd_trainable.tuning.temporary import small_folder
with small_folder() as folder:
    (folder / "copy").write_text("a study")
    print(folder, flush=True)
    if sys.argv[1] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()
"""


@pytest.fixture
def within(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as folder:  # short: a path for sockets
        monkeypatch.setenv("RAY_TMPDIR", folder)
        yield Path(folder)


def holder(how: str) -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", HOLDS, how], text=True, **pipes)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize(
    "environment", [{}, {"TMPDIR": "/var/tmp"}, {"RAY_TMPDIR": "/dev/shm"}, {"RAY_TMPDIR": "/a", "TMPDIR": "/b"}]
)
def test_it_is_where_rays_would_be(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    from ray._common.utils import get_default_system_temp_dir

    from kd_trainable.tuning import temporary

    for name in ("RAY_TMPDIR", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert str(temporary._within()) == get_default_system_temp_dir()


@pytest.mark.parametrize("folder", [own_folder, small_folder])
def test_it_ends_with_its_block(folder: Any, within: Path) -> None:
    with contextlib.suppress(KeyboardInterrupt), folder() as made:
        assert made.parent == within
        assert made.name.startswith(PREFIX)
        (made / "deep").mkdir()
        raise KeyboardInterrupt
    assert os.listdir(within) == []
    assert not made.exists()


def test_of_a_killed_process_the_next_one_removes_it(within: Path) -> None:
    said, _ = holder("killed").communicate()
    assert {path.name for path in Path(said.strip()).iterdir()} == {LOCK, "copy"}
    with own_folder():
        assert len(os.listdir(within)) == 1
    assert os.listdir(within) == []


def test_of_a_living_process_it_stays(within: Path) -> None:
    process = holder("lives")
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    remove_abandoned()
    assert (folder / "copy").exists()
    process.communicate()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "ends"), [("ray::DashboardAgent", True), ("/v/site-packages/ray/raylet", True), ("tail", False)]
)
def test_what_still_uses_it_of_a_dead_drivers_ray_is_ended(name: str, ends: bool, within: Path) -> None:
    """Ray's agents outlive their driver by a minute. Who reads a log there does so undisturbed."""
    said, _ = holder("killed").communicate()
    folder = Path(said.strip())
    with subprocess.Popen(["bash", "-c", f"exec -a {name} sleep 60 > {folder}/log"]) as user:
        while not Path(f"/proc/{user.pid}/cmdline").read_bytes().startswith(name.encode()):
            time.sleep(0.01)
        remove_abandoned()
        assert (user.poll() is None, folder.exists()) == (not ends, not ends)
        user.kill()
