"""Every script in sweeps/ runs end to end, on a few generated images in the place of its data set."""

from __future__ import annotations

import runpy
from pathlib import Path

import pandas as pd
import pytest

from kd_trainable.tuning.main import main

ROOT = Path(__file__).parent.parent
COLOURS = "--dataset own_parts:few_colours --teacher-epochs 1 --epochs 2 --batch-size 18 --seeds 0"
# script -> (its flags here, the runs and the students' methods that there must be)
FLAGS: dict[str, tuple[str, int, set[str]]] = {
    "digits_grid": ("--epochs 2 --teacher-epochs 1 --seeds 0 --temperature 1 4", 9, {"kd"}),
    "cifar10_grid": (COLOURS, 13, {"kd"}),
    "kd_modes": (COLOURS, 9, {"kd"}),
    "temperature_vs_seed": (COLOURS, 6, {"kd"}),
    "emnist_letters": (
        "--dataset own_parts:few_letters --teacher-epochs 1 --epochs 2 --batch-size 18 --seeds 0",
        7,
        {"kd"},
    ),
    "cifar100_methods": (
        f"--preset cifar10 {COLOURS}",
        12,
        {"kd", "l2", "l2_root", "fitnets", "at", "at_paper", "pkt", "rkd", "sp", "ofd", "dml"},
    ),
    "training_tricks": (f"--preset cifar10 {COLOURS}", 28, {"kd"}),
}


def test_these_are_all() -> None:
    scripts = {path.stem for path in (ROOT / "sweeps").glob("*.py")}
    assert scripts - FLAGS.keys() == {"export_best", "train_teacher"}  # no sweeps: see test_readme.py
    assert len(FLAGS) == 7


EVERY_DAY = ("cifar10_grid",)  # the others with what is slow; digits_grid is in many other tests


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    "script", [pytest.param(name, marks=() if name in EVERY_DAY else pytest.mark.slow) for name in FLAGS]
)
def test_it_runs(script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags, expected, methods = FLAGS[script]
    found = runpy.run_path(str(ROOT / "sweeps" / f"{script}.py"), run_name="imported")
    arguments = [*flags.split(), "--storage", str(tmp_path / "results")]
    with pytest.raises(SystemExit) as ended:
        main(script, found["__doc__"], found["PRESETS"], found["summarise"], arguments)
    folder = tmp_path / "results" / "sweeps" / script
    runs = pd.read_parquet(folder / "runs.parquet")
    assert (ended.value.code, set(runs["status"])) == (0, {"finished"}), capsys.readouterr().err
    assert len(runs) == expected
    assert set(runs["method"]) == methods | {"none"}
    assert runs["test_accuracy_last"].notna().all()
    assert {path.name for path in folder.iterdir()} >= {"runs.parquet", "epochs.parquet", "table.md"}
    assert list(folder.glob("*.png"))
