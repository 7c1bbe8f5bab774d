"""Where the time of a run that trains next to nothing goes, in its worker, without Tune around it: by a profiler."""

from __future__ import annotations

import cProfile
import json
import pstats
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from figures import Row, seconds

PROFILED, WARM = 100, 3  # runs; the first ones of a process load what the others find loaded
PARTS = {
    "claim": "lease",
    "step_epoch": "training",
    "latency": "latency",
    "finish": "weights and result",
    "go_on": "looking for a checkpoint",
    "__init__": "student, optimizer, inputs",
    "write": "all writes",
}


def one_run() -> list[Row]:
    """Seconds of a run in its worker, and of its parts, each with what it calls; "all writes" is in others too."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, folder, str(PROFILED)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    parts = json.loads(done.stdout.splitlines()[-1])
    whole = parts.pop("step")
    named = ", ".join(f"{PARTS[name]} {1e3 * s:.1f} ms" for name, s in sorted(parts.items(), key=lambda p: -p[1]))
    return [
        Row(f"a run's own work in its worker, by a profiler, which slows it ({named})", seconds(whole)),
        Row("once in a worker: torch's compiler, which its first optimizer imports", seconds(_compiler())),
    ]


def _compiler() -> float:
    """Seconds of processors."""
    timed = "import time, torch; began = time.process_time(); import torch._dynamo; print(time.process_time() - began)"
    return float(subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True).stdout)


def profile(folder: str, runs: int) -> None:
    """Prints the seconds of a run's parts, each with what it calls, from steps of trials without Tune."""
    profiler = cProfile.Profile()
    for i, trial in enumerate(_trials(Path(folder), WARM + runs)):
        if i >= WARM:
            profiler.enable()
        trial.step()
        profiler.disable()
    stats = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    parts: dict[str, float] = {}
    for (file, _, name), (_, _, _, cumulative, _) in stats.items():
        ours = "kd_trainable" in file and (name != "__init__" or file.endswith("plain.py"))
        if ours and (name == "step" or name in PARTS) and not (name == "write" and not file.endswith("store.py")):
            parts[name] = max(parts.get(name, 0.0), cumulative / runs)
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


if __name__ == "__main__":
    profile(sys.argv[1], int(sys.argv[2]))
