"""A sweep that is killed: the same command at once finishes the rest of it. Other faults are in tests/faults.

It begins in a process of its own, on real digits, with a student that is slowed down so that there is a middle to be
killed in; slowness alters no number, so an undisturbed sweep at full speed says what must come out.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import own_parts
import pandas as pd
import psutil
import pytest
from short_runs import files, history, numbers, result

from kd_trainable.engine import checkpoint
from kd_trainable.tuning.main import main
from kd_trainable.tuning.run_folder import RunFolder
from kd_trainable.tuning.store import Storage

ROOT = Path(__file__).parent.parent
PATIENCE_S = 240.0
EPOCHS = 8
STUDENT = "own_parts:slow"
ASKED: dict[str, Any] = {"student": STUDENT, "mode": "kl", "temperature": [1, 2, 4], "alpha": 0.5, "epochs": EPOCHS}
FLAGS = ["--student", STUDENT, "--mode", "kl", "--temperature", "1", "2", "4", "--alpha", "0.5", "--epochs", "8"]
RUNS = 4


@pytest.fixture(scope="module")
def undisturbed(
    short_sweep: Callable[..., pd.DataFrame], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, pd.DataFrame]:
    """The sweep as it is when nothing happens to it: its storage, and its runs."""
    storage = tmp_path_factory.mktemp("undisturbed")
    return storage, short_sweep(storage, **ASKED)


class Command:
    """``sweeps/digits_grid.py`` in a process group of its own, as a shell would start it."""

    def __init__(self, storage: Path, teacher: str) -> None:
        self.storage = storage
        self.argv = [*FLAGS, "--seeds", "0", "--teacher", teacher, "--storage", str(storage)]
        self.begun: list[subprocess.Popen[str]] = []
        self.seen: list[psutil.Process] = []

    def begin(self, sleep: float = 0.02) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), own_parts.SLEEP: str(sleep)}
        script = str(ROOT / "sweeps" / "digits_grid.py")
        process = subprocess.Popen(
            [sys.executable, script, *self.argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
            # a shell's background job hands its children an ignored SIGINT, which no Ctrl-C reaches
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.begun.append(process)
        return process

    def finish(self) -> tuple[int, str, str]:
        """Runs it to its end, at full speed."""
        process = self.begin(sleep=0.0)
        out, err = process.communicate(timeout=PATIENCE_S)
        return process.returncode, out, err

    def in_the_middle(self) -> None:
        """Returns when a run has finished and another one has a checkpoint and half of its way before it."""
        until = time.monotonic() + PATIENCE_S
        while not (self.finished() and any(len(rows) <= EPOCHS // 2 for rows in self.under_way().values())):
            process = self.begun[-1]
            if process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"no middle was seen: {process.communicate()}")
            time.sleep(0.05)

    def descendants(self) -> list[psutil.Process]:
        """All processes that were started by the last one begun, and by theirs."""
        found = psutil.Process(self.begun[-1].pid).children(recursive=True)
        self.seen += found
        return found

    def workers(self) -> list[psutil.Process]:
        """Those of them that train."""
        found = [child for child in self.descendants() if _trains(child)]
        assert found
        return found

    def finished(self) -> set[str]:
        return {path.parent.name for path in self.storage.glob("runs/*/result.json")}

    def under_way(self) -> dict[str, list[dict[str, Any]]]:
        """Runs with a checkpoint and no result: their epochs so far."""
        histories = {}
        for name in {path.parent.name for path in self.storage.glob("runs/*/checkpoint-*")} - self.finished():
            for content in RunFolder(Storage(str(self.storage)), name).checkpoints():
                histories[name] = checkpoint.decode(content)[1]
                break
        return histories


def _trains(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return "Trainable" in " ".join(process.cmdline())
    return False


@pytest.fixture
def command(teacher: str, tmp_path: Path) -> Iterator[Command]:
    """The command; at the end of a test all that it began is ended."""
    made = Command(tmp_path / "results", teacher)
    yield made
    for process in made.begun:
        if process.poll() is None:
            made.descendants()
            process.kill()
        process.communicate()
    for left in made.seen:  # Ray's own agents outlive a driver that was killed by half a minute
        with contextlib.suppress(psutil.NoSuchProcess):
            left.kill()


def assert_undisturbed(storage: Path, undisturbed: tuple[Path, pd.DataFrame]) -> pd.DataFrame:
    """The sweep's table has every number of the undisturbed one's, and so have its runs."""
    runs = pd.read_parquet(storage / "sweeps" / "digits_grid" / "runs.parquet")
    assert len(runs) == RUNS
    pd.testing.assert_frame_equal(numbers(runs), numbers(undisturbed[1]))
    for spec_id in runs["spec_id"]:
        assert history(storage, spec_id) == history(undisturbed[0], spec_id)
    return runs.set_index("spec_id")


def assert_gone_on(storage: Path, under_way: dict[str, list[dict[str, Any]]], runs: pd.DataFrame) -> None:
    """The runs that were under way went on from their checkpoints: their first epochs still have the first times."""
    for spec_id, rows in under_way.items():
        assert runs.loc[spec_id, "attempts"] == 2
        assert repr(result(storage, spec_id)["history"][: len(rows)]) == repr(rows)


def assert_readable(storage: Path) -> None:
    """A killed driver's tables are whole, and sweep.json tells that it did not come to its end."""
    folder = storage / "sweeps" / "digits_grid"
    runs, epochs = (pd.read_parquet(folder / f"{name}.parquet") for name in ("runs", "epochs"))
    assert (len(runs), set(epochs["spec_id"]) <= set(runs["spec_id"])) == (RUNS, True)
    assert set(runs["status"]) <= {"finished", "running", "unfinished"}
    about = json.loads((folder / "sweep.json").read_text())
    assert (about["ended"], about["command"].endswith("results")) == (None, True)


def test_kill_9_of_the_driver(command: Command, undisturbed: tuple[Path, pd.DataFrame]) -> None:
    process = command.begin()
    command.in_the_middle()
    workers = command.workers()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert_readable(command.storage)
    finished = {name: files(command.storage / "runs" / name) for name in command.finished()}
    # a worker may outlive its driver for a moment, and bring a run to its end that was about to be there
    under_way = {name: rows for name, rows in command.under_way().items() if len(rows) < EPOCHS - 2}
    status, out, err = command.finish()
    assert (status, "Traceback" in err) == (0, False), err
    done = re.search(r"(\d+) done", err)
    assert done is not None
    assert int(done[1]) >= len(finished)
    assert {name: files(command.storage / "runs" / name) for name in finished} == finished
    runs = assert_undisturbed(command.storage, undisturbed)
    assert set(runs.loc[list(finished), "attempts"]) == {1}
    assert under_way
    assert_gone_on(command.storage, under_way, runs)
    assert "runs.parquet" in out
    assert json.loads((command.storage / "sweeps" / "digits_grid" / "sweep.json").read_text())["ended"]
    assert psutil.wait_procs(workers, timeout=30)[1] == []


def test_ctrl_c_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["kd_trainable.tuning.sweep"], "run", interrupted)  # the name is a function's too
    script = runpy.run_path(str(ROOT / "sweeps" / "digits_grid.py"))
    argv = ["--temperature", "4", "--storage", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        main("digits_grid", script["__doc__"], script["PRESETS"], script["summarise"], argv)
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (130, "")
    assert err.startswith("\nstopped; nothing is lost. To go on: ")
    assert err.endswith(f" sweeps/digits_grid.py {' '.join(argv)}\n")
