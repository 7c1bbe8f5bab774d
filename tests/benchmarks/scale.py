"""1,000 runs that train next to nothing, on 16 Ray nodes in one box, beside Ray Tune alone with as many empty trials.

Both drivers are processes of their own on one cluster, one after the other. Each is then killed in the middle and
begun again. ``python scale.py ours|alone ...`` is what those processes run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from figures import Row, seconds
from one_run import one_run

FAULTS = Path(__file__).parents[1] / "faults"
sys.path += [str(FAULTS), str(FAULTS.parent)]

NODES, RUNS = 16, 1000
MIDDLE = 0.4  # of the runs are done when a driver is killed


def scale() -> list[Row]:
    """Trials a second, the drivers' memory, and the seconds until a killed one has its next run done."""
    from several_nodes import several_nodes

    with several_nodes(store=100_000_000) as cluster, tempfile.TemporaryDirectory() as folder:
        nodes = [cluster.add(1, wait=False, sleep=0.0, store=100_000_000) for _ in range(NODES)]
        for node in nodes:
            node.wait()
        found = {what: _measured(what, Path(folder, what), cluster) for what in ("alone", "ours")}
    return [*_rows(found), *one_run()]


def _measured(what: str, folder: Path, cluster: Any) -> dict[str, float]:
    whole = _driver(what, folder / "whole", cluster)
    killed = _driver(what, folder / "killed", cluster, until=MIDDLE)
    again = _driver(what, folder / "killed", cluster)
    return {**whole, "killed_after": killed["done"], "resumed_s": again["first_s"], "resumed_done": again["done"]}


def _driver(what: str, folder: Path, cluster: Any, until: float = 1.0) -> dict[str, float]:
    """Runs a driver to its end, or kills it when so much of its runs is done. It tells of each by a line."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [*cluster.within, sys.executable, __file__, what, cluster.address, str(folder), str(RUNS)]
    environment = {**os.environ, **cluster.environment}
    began, first, half, done, peak, busy = time.monotonic(), 0.0, 0.0, 0, 0.0, 0.0
    with (folder / "driver.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        assert process.stdout is not None
        for line in process.stdout:
            if not line.startswith("done"):
                continue
            done += 1
            first = first or time.monotonic() - began
            peak, busy = max(peak, _memory(process.pid)), _busy(process.pid)
            if done <= RUNS / 2:
                half = time.monotonic()
            last = time.monotonic()
            if done >= until * RUNS:
                break
        if until < 1:
            process.send_signal(signal.SIGKILL)
        process.communicate()
    took = time.monotonic() - began
    if process.returncode not in (0, -signal.SIGKILL) or not done:
        raise RuntimeError((folder / "driver.log").read_text()[-2000:])
    return {
        "took_s": took,
        "first_s": first,
        "pace": RUNS / 2 / max(last - half, 1e-9),
        "done": done,
        "megabytes": peak,
        "busy_s": busy,
    }


def _memory(pid: int) -> float:
    """MB that a process has in memory."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1e3 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)


def _busy(pid: int) -> float:
    """Seconds of processors that a process has used."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _rows(found: dict[str, dict[str, float]]) -> list[Row]:
    ours, alone = found["ours"], found["alone"]
    resumed = "seconds from the same command to its next run done, after kill -9 of the driver at"
    return [
        Row(
            f"{RUNS} runs on {NODES} nodes: runs a second, of the second half, when all workers are there",
            f"{ours['pace']:.1f}",
            f"Tune alone: {alone['pace']:.1f}",
        ),
        Row(
            "whole process, with the start of a worker on each node",
            seconds(ours["took_s"]),
            f"Tune alone: {seconds(alone['took_s'])}",
        ),
        Row("processor time of the driver", seconds(ours["busy_s"]), f"Tune alone: {seconds(alone['busy_s'])}"),
        Row("memory of the driver", f"{ours['megabytes']:.0f} MB", f"Tune alone: {alone['megabytes']:.0f} MB"),
        Row(
            f"{resumed} {ours['killed_after']:.0f} and {alone['killed_after']:.0f} runs",
            f"{ours['resumed_s']:.1f} s, {ours['resumed_done']:.0f} runs to do",
            f"Tune alone: {alone['resumed_s']:.1f} s, {alone['resumed_done']:.0f}",
        ),
    ]


def ours(address: str, folder: str, runs: int) -> None:
    """A sweep, which tells of each run that is done."""
    from overhead import FIELDS, write_teacher

    from kd_trainable.tuning import conductor, sweep

    _told(conductor.Conductor, "on_trial_complete")
    teacher = write_teacher(Path(folder))
    frame = sweep(
        "scale",
        temperature=[1 + 0.01 * i for i in range(runs)],
        teacher=str(teacher),
        storage=f"file://{folder}/results",
        address=address,
        log="none",
        **FIELDS,
    )
    if list(frame["status"]) != ["finished"] * runs:
        raise RuntimeError(f"not all runs finished: {frame['status'].value_counts()}")


def alone(address: str, folder: str, runs: int) -> None:
    """Tune with as many trials that do nothing but import torch, without loggers, resumed where it can be."""
    import ray
    from ray import tune
    from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available

    from kd_trainable.tuning.driver import TUNE_ENVIRONMENT

    os.environ.update({**TUNE_ENVIRONMENT, "TUNE_GLOBAL_CHECKPOINT_S": "10"})  # its own way to resume
    maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    ray.init(address=address, log_to_driver=False)

    class Empty(tune.Trainable):  # type: ignore[misc]
        def setup(self, config: dict[str, Any]) -> None:
            import torch

            torch.set_num_threads(1)

        def step(self) -> dict[str, Any]:
            return {"value": self.config["x"], "done": True}

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.config = new_config
            return True

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            return None

        def load_checkpoint(self, checkpoint_dir: str) -> None:
            return None

    class Told(tune.Callback):  # type: ignore[misc]
        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            print("done", flush=True)

    path = f"{folder}/tune/scale"
    if tune.Tuner.can_restore(path):
        tuner = tune.Tuner.restore(path, trainable=Empty)  # with its callbacks
    else:
        tuner = tune.Tuner(
            Empty,
            param_space={"x": tune.grid_search(list(range(runs)))},
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(name="scale", storage_path=f"{folder}/tune", callbacks=[Told()], verbose=0),
        )
    tuner.fit()


def _told(where: Any, name: str) -> None:
    """Prints 'done' after each call of a method, past the sweep, which keeps standard output for its table."""
    before: Callable[..., Any] = getattr(where, name)
    out = os.dup(1)

    def told(self: Any, *arguments: Any, **further: Any) -> None:
        before(self, *arguments, **further)
        os.write(out, b"done\n")

    setattr(where, name, told)


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    {"ours": ours, "alone": alone}[what](arguments[0], arguments[1], int(arguments[2]))
