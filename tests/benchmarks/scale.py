"""1,000 runs that train next to nothing, on 16 Ray nodes in one box, beside Ray Tune alone with as many empty trials.

Both drivers are processes of their own on one cluster, one after the other. Each is then killed in the middle and
begun again. ``python scale.py ours|alone|profile ...`` is what those processes run.
"""

from __future__ import annotations

import cProfile
import json
import os
import pstats
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from figures import Row, seconds

FAULTS = Path(__file__).parents[1] / "faults"
sys.path += [str(FAULTS), str(FAULTS.parent)]

NODES, RUNS, PROFILED = 16, 1000, 100
TARGET_SHARE = 0.10  # of the time a run takes, that is ours and neither Tune's nor training
MIDDLE = 0.4  # of the runs are done when a driver is killed
PATIENCE_S = 3600.0


def scale() -> list[Row]:
    """Trials a second, the drivers' memory, and the seconds until a killed one has its next run done."""
    from several_nodes import several_nodes

    with several_nodes(store=100_000_000) as cluster, tempfile.TemporaryDirectory() as folder:
        nodes = [cluster.add(1, wait=False, sleep=0.0, store=100_000_000) for _ in range(NODES)]
        for node in nodes:
            node.wait()
        found = {what: _measured(what, Path(folder, what), cluster) for what in ("alone", "ours")}
    return [*_rows(found), *_profile()]


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
    began, first, done, peak = time.monotonic(), 0.0, 0, 0.0
    with (folder / "driver.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        assert process.stdout is not None
        for line in process.stdout:
            if not line.startswith("done"):
                continue
            done += 1
            first = first or time.monotonic() - began
            peak = max(peak, _memory(process.pid))
            if done >= until * RUNS:
                break
        if until < 1:
            process.send_signal(signal.SIGKILL)
        process.communicate()
    took = time.monotonic() - began
    if process.returncode not in (0, -signal.SIGKILL):
        raise RuntimeError((folder / "driver.log").read_text()[-2000:])
    return {"took_s": took, "first_s": first, "done": done, "megabytes": peak}


def _memory(pid: int) -> float:
    """MB that a process has in memory."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1e3 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)


def _rows(found: dict[str, dict[str, float]]) -> list[Row]:
    ours, alone = found["ours"], found["alone"]
    pace = {what: (RUNS - 1) / (f["took_s"] - f["first_s"]) for what, f in found.items()}
    resumed = "seconds from the same command to its next run done, after kill -9 of the driver at"
    return [
        Row(f"{RUNS} runs on {NODES} nodes: runs a second", f"{pace['ours']:.2f}", f"Tune alone: {pace['alone']:.2f}"),
        Row("whole process", seconds(ours["took_s"]), f"Tune alone: {seconds(alone['took_s'])}"),
        Row("memory of the driver", f"{ours['megabytes']:.0f} MB", f"Tune alone: {alone['megabytes']:.0f} MB"),
        Row(
            f"{resumed} {ours['killed_after']:.0f} and {alone['killed_after']:.0f} runs",
            f"{ours['resumed_s']:.1f} s, {ours['resumed_done']:.0f} runs to do",
            f"Tune alone: {alone['resumed_s']:.1f} s, {alone['resumed_done']:.0f}",
        ),
    ]


def _profile() -> list[Row]:
    """Where the time of one of our runs goes, in a process without Ray around it, by part."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "profile", folder, str(PROFILED)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    parts = json.loads(done.stdout.splitlines()[-1])
    whole = parts.pop("step")
    named = ", ".join(f"{name} {1e3 * s:.1f} ms" for name, s in sorted(parts.items(), key=lambda p: -p[1]))
    return [Row(f"a run's own work in its worker, under a profiler ({named})", seconds(whole))]


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


def profile(folder: str, runs: int) -> None:
    """Prints the seconds of a run's parts, each with what it calls, from steps of trials without Tune."""
    profiler = cProfile.Profile()
    for trial in _trials(Path(folder), runs):
        profiler.enable()
        trial.step()
        profiler.disable()
    stats = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    parts = {}
    wanted = ("step", "claim", "step_epoch", "_set_beside_teacher", "latency", "finish", "go_on", "evaluate", "fsync")
    for (file, _, name), (_, _, _, cumulative, _) in stats.items():
        if name.strip("<>").split(".")[-1].rstrip(">") in wanted and ("kd_trainable" in file or "fsync" in name):
            parts[name] = parts.get(name, 0.0) + cumulative / runs
    print(json.dumps(parts))


def _trials(folder: Path, runs: int) -> Iterator[Any]:
    """One actor's trials, one after the other, without its actor."""
    import ray
    from overhead import FIELDS
    from pixels import forty

    from kd_trainable.spec import RunSpec, spec_id
    from kd_trainable.tuning.cluster import cluster
    from kd_trainable.tuning.settings import Settings
    from kd_trainable.tuning.shared import Shared
    from kd_trainable.tuning.store import Storage
    from kd_trainable.tuning.temporary import own_folder
    from kd_trainable.tuning.trainable import DistillationTrial

    fixed = {name: FIELDS[name] for name in ("dataset", "student", "augment", "epochs", "batch_size")}
    data = forty()
    with own_folder() as own, cluster(Settings(), own):
        shared = Shared(
            storage=Storage(folder),
            data=ray.put(data),
            data_fingerprint=data.fingerprint(),
            teacher=None,
            card=None,
            kept={},
            threads=1,
            gpus=0.0,
            metric="validation_accuracy",
            every_epoch=False,
        )
        trial = None
        for seed in range(runs):
            spec = RunSpec(**fixed, method="none", seed=seed)
            config = {**spec.flat(), "spec_id": spec_id(spec, shared.data_fingerprint, "")}
            if trial is None:
                trial = DistillationTrial.__new__(DistillationTrial)
                trial.setup(config, {"shared": shared})
            else:
                trial.reset_config(config)
            yield trial


def _told(where: Any, name: str) -> None:
    """Prints 'done' after each call of a method."""
    before: Callable[..., Any] = getattr(where, name)

    def told(self: Any, *arguments: Any, **further: Any) -> None:
        before(self, *arguments, **further)
        print("done", flush=True)

    setattr(where, name, told)


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "profile":
        profile(arguments[0], int(arguments[1]))
    else:
        {"ours": ours, "alone": alone}[what](arguments[0], arguments[1], int(arguments[2]))
