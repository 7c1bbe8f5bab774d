"""A small real sweep to do harm to: scikit-learn's digits in 8 runs, by sweeps/digits_grid.py in a session of its own.

The student trains as slowly as it is told, by sleeping, so that there is a middle to be disturbed in; slowness alters
no number. All that a sweep starts carries this session's mark in its environment and has its temporary files in a
folder of this session, so that what it leaves behind is found, and never taken for somebody else's.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import subject
from short_runs import TIMES, numbers

from kd_trainable.tuning.store import Storage

ROOT = Path(__file__).parents[2]
MARK = "KD_TEST_FAULTS"
SESSION = uuid.uuid4().hex
TEMPORARY = Path(
    tempfile.mkdtemp(prefix="kd")
)  # short: Ray's sockets lie in it, and a socket's path has 107 characters
atexit.register(shutil.rmtree, TEMPORARY, ignore_errors=True)
SHARED_MEMORY = Path("/dev/shm")
PATIENCE_S = 480.0  # for a sweep, or a part of one: on two cores that others use too
GONE_S = 60.0  # within which all that a sweep started must have ended: Ray's own outlive a killed driver by seconds
NAME, RUNS, EPOCHS = "digits_grid", 8, 20
FLAGS = (
    "--student subject:student --mode kl --temperature 1 2 4 --alpha 0.5 --seeds 0 1 --teacher-epochs 2"
    f" --epochs {EPOCHS} --max-concurrent 2 --log none"
).split()  # fmt: skip
SLEEP_S = 0.005  # a step; an epoch has 21


def environment(sleep: float = SLEEP_S) -> dict[str, str]:
    """What a sweep, or a cluster that it is to run in, is started with."""
    folders = [ROOT, ROOT / "tests", ROOT / "tests" / "faults"]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "RAY_TMPDIR": str(TEMPORARY),
        "TMPDIR": str(TEMPORARY),
        MARK: SESSION,
        subject.SLEEP: str(sleep),
    }


def start(
    results: str | Path,
    *flags: str,
    sleep: float = SLEEP_S,
    env: Mapping[str, str] | None = None,
    script: str = NAME,
    within: Sequence[str] = (),
) -> subprocess.Popen[str]:
    """Begins the sweep; ``flags`` come after, and so override, FLAGS; ``env`` goes over ``environment()``.

    ``within``: what the command begins with, such as ``ip netns exec NAME``.
    """
    return subprocess.Popen(
        [*within, sys.executable, str(ROOT / "sweeps" / f"{script}.py"), *FLAGS, "--storage", str(results), *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(sleep), **(env or {})},
        cwd=ROOT,
        start_new_session=True,
        # a shell's background job hands its children an ignored SIGINT, which no Ctrl-C reaches
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finish(process: subprocess.Popen[str], patience: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
    """Waits for its end; what it said."""
    try:
        out, err = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"no end within {patience:g} s; it had said:\n{out}\n{err}") from None
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def complete(results: str | Path, *flags: str, **further: Any) -> subprocess.CompletedProcess[str]:
    """Runs the sweep to its end at full speed, and asserts that it was a good one."""
    ended = finish(start(results, *flags, **{"sleep": 0.0, **further}))
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[str], patience: float = PATIENCE_S) -> Any:
    """What ``condition`` gives once it is true; AssertionError when the process ends before, or it takes too long."""
    until = time.monotonic() + patience
    while not (found := condition()):
        if process.poll() is not None or time.monotonic() > until:
            status = process.poll()
            process.kill()
            raise AssertionError(f"what was waited for did not come; status {status}, said {process.communicate()}")
        time.sleep(0.03)
    return found


def in_the_middle(results: str | Path, process: subprocess.Popen[str], finished: int = 1) -> None:
    """Returns when at least so many runs have finished and another has a checkpoint and no result."""
    wait_for(lambda: len(ended(results)) >= finished and under_way(results), process)


def ended(results: str | Path) -> set[str]:
    """Runs that have a result."""
    storage = Storage(results)
    return {run for run in storage.names("runs") if "result.json" in storage.names(f"runs/{run}")}


def under_way(results: str | Path) -> set[str]:
    """Runs that have a checkpoint and no result, the teacher's training among them."""
    storage = Storage(results)
    names = {run: storage.names(f"runs/{run}") for run in storage.names("runs")}
    return {r for r, files in names.items() if "result.json" not in files and any("checkpoint-" in f for f in files)}


def same_table(results: str | Path, undisturbed: str | Path) -> bool:
    """Whether two sweeps' tables of runs and of epochs agree bit for bit, less what was measured by a clock."""
    return all(_digestible(results, name).equals(_digestible(undisturbed, name)) for name in ("runs", "epochs"))


def table(results: str | Path, name: str = "runs") -> pd.DataFrame:
    """The sweep's table."""
    content = Storage(results).read(f"sweeps/{NAME}/{name}.parquet")
    assert content is not None
    return pd.read_parquet(io.BytesIO(content))


def _digestible(results: str | Path, name: str) -> pd.DataFrame:
    found = table(results, name)
    if name == "runs":
        return numbers(found)
    return found.drop(columns=[*TIMES]).sort_values(["spec_id", "epoch"], ignore_index=True)


def processes() -> list[psutil.Process]:
    """All living processes that carry this session's mark, which is handed down from parent to child."""
    return list(_marked())


def trials() -> list[psutil.Process]:
    """Those that train a run."""
    return [process for process in processes() if "DistillationTrial" in _command(process)]


def _marked() -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == SESSION and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def _command(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


@dataclass(frozen=True)
class Traces:
    """What there is of sweeps at a moment, beside their results."""

    results: tuple[Path, ...]  # local ones, in which temporary files are looked for
    found: frozenset[str]


def traces(*results: str | Path) -> Traces:
    """What there is now of marked processes, of /dev/shm, of temporary files in these results folders and elsewhere."""
    folders = tuple(Path(folder) for folder in results if "://" not in str(folder))
    return Traces(folders, frozenset(_traces(folders)))


def left_behind(before: Traces, patience: float = GONE_S) -> tuple[str, ...]:
    """What came since and is still there after ``patience`` seconds; returns at once when nothing is."""
    until = time.monotonic() + patience
    while (left := set(_traces(before.results)) - before.found) and time.monotonic() < until:
        time.sleep(0.2)
    return tuple(sorted(left))


def _traces(folders: tuple[Path, ...]) -> Iterator[str]:
    for process in processes():
        yield f"process {process.pid} {_command(process)[:100]}"
    for entry in SHARED_MEMORY.iterdir() if SHARED_MEMORY.exists() else ():
        if not _held_by_others(entry):
            yield f"shared memory {entry.name}"
    for folder in folders:
        yield from (f"temporary file {path}" for path in folder.rglob(".*.tmp"))
    for entry in [*TEMPORARY.iterdir(), *TEMPORARY.glob("ray/*")]:
        if entry != TEMPORARY / "ray":  # where a cluster that is not the sweep's own has its sessions
            yield f"temporary file {entry}"


def _held_by_others(entry: Path) -> bool:
    """Whether a living process that is none of ours has it open: somebody else's at the same time."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(file.path == str(entry) for file in process.memory_maps()):
                return process.environ().get(MARK) != SESSION
    return False
