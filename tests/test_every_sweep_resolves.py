"""Every script in sweeps/ resolves: its presets name runs that can be, and --dry-run says so and starts nothing."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kd_trainable.data import DATASETS
from kd_trainable.tuning import estimate, pace
from kd_trainable.tuning.command import Asked, Preset, parse
from kd_trainable.tuning.main import main
from kd_trainable.tuning.pace import Pace
from kd_trainable.tuning.plan import Names, grid_runs
from kd_trainable.tuning.standing import Standing, passes_with_kept
from kd_trainable.tuning.store import Storage

ROOT = Path(__file__).parent.parent
SCRIPTS = {path.stem: path for path in sorted((ROOT / "sweeps").glob("*.py"))}
# script -> preset -> (cells, baselines, seeds, epochs, teacher passes needed, and what the usual loop would make)
EXPECTED: dict[str, dict[str, tuple[int, int, int, int, int, int]]] = {
    "cifar10_grid": {
        "quick": (12, 1, 2, 5, 10, 120),
        "gpu": (12, 1, 3, 60, 162, 2160),
        "published": (47, 2, 1, 100, 100, 4700),
    },
    "cifar100_methods": {  # seven of the methods compare features, which takes a pass each epoch and run
        "quick": (11, 1, 2, 30, 480, 600),
        "cifar10": (11, 1, 2, 5, 80, 100),
        **dict.fromkeys(
            ("published", "published-34", "published-50", "published-101", "published-152"),
            (11, 1, 2, 180, 2682, 3600),
        ),
    },
    "digits_grid": {"demo": (16, 1, 2, 20, 1, 640)},
    "emnist_letters": {"quick": (6, 1, 3, 20, 1, 360), "published": (6, 1, 1, 50, 1, 300)},
    "kd_modes": {"quick": (8, 1, 1, 10, 10, 80), "published": (34, 1, 1, 300, 162, 10200)},
    "temperature_vs_seed": {"quick": (5, 1, 4, 5, 20, 100), "published": (5, 1, 4, 300, 162, 6000)},
    "training_tricks": {  # erasing, cutout and mixup each need passes of their own
        "quick": (17, 17, 2, 30, 241, 1020),
        "cifar10": (15, 15, 2, 6, 49, 180),
        "published": (17, 17, 2, 180, 1243, 6120),
    },
}
LIKE_ANOTHER = {"published-50", "published-101", "published-152"}  # but for the depth of the teacher
PRESETS = [(script, preset) for script, presets in EXPECTED.items() for preset in presets]


def script_of(name: str) -> dict[str, Any]:
    """What a script defines; as it is imported it must not run."""
    return runpy.run_path(str(SCRIPTS[name]), run_name="imported")


def asked(script: str, preset: str) -> Asked:
    found = script_of(script)
    return parse(script, found["__doc__"], found["PRESETS"], ["--preset", preset])


def test_these_are_all() -> None:
    presets: dict[str, dict[str, Preset]] = {name: script_of(name).get("PRESETS", {}) for name in SCRIPTS}
    with_presets = {name: set(found) for name, found in presets.items() if found}
    assert with_presets == {name: set(expected) for name, expected in EXPECTED.items()}
    assert set(SCRIPTS) - set(with_presets) == {"export_best", "train_teacher"}


@pytest.mark.parametrize(("script", "preset"), PRESETS)
def test_a_preset_is_as_many_runs_as_it_says(script: str, preset: str, tmp_path: Path) -> None:
    cells, baselines, seeds, epochs, needed, usual = EXPECTED[script][preset]
    space = asked(script, preset).space
    standing = Standing(Storage(str(tmp_path)), Names("data", "teacher"), DATASETS["digits"], None, None)
    runs = grid_runs(space, standing.names).values()
    assert len(space.cells()) == cells
    assert len(runs) == (cells + baselines) * seeds
    assert sum(not run.distilled for run in runs) == baselines * seeds
    assert {run.epochs for run in runs} == {epochs}
    passes = passes_with_kept(space, list(runs), standing)
    assert (passes.needed, passes.usual) == (needed, usual)


@pytest.mark.parametrize(("script", "preset"), [pair for pair in PRESETS if pair[1] not in LIKE_ANOTHER])
def test_dry_run(
    script: str, preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(pace, "_measure", lambda spec, known, device: Pace(1e-4, 1e-5))
    monkeypatch.setattr(pace, "_PACES", {})
    monkeypatch.setattr(estimate, "_pass_seconds", lambda *arguments: 1.0)
    found = script_of(script)
    main(script, found["__doc__"], found["PRESETS"], found["summarise"], ["--preset", preset, "--dry-run"])
    cells, baselines, seeds, epochs, needed, usual = EXPECTED[script][preset]
    runs = (cells + baselines) * seeds
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{script}: {runs} runs of {epochs} epochs on seeds ")
    assert sum(bool(re.fullmatch(rf"  .* 0 of {seeds} done", line)) for line in lines) == cells + baselines
    assert any(line.startswith(f"done already: 0 of {runs} runs") for line in lines)
    passes = rf"teacher passes over the training images: {needed}( \(\d+ by teachers that run live.*\))?, not {usual}"
    assert [line for line in lines if re.fullmatch(passes, line)]
    assert lines[-1].startswith("  teacher's training ")
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_in_a_process_of_its_own_times_real_steps_and_starts_no_ray(tmp_path: Path) -> None:
    code = (
        "import atexit, runpy, sys\n"
        "atexit.register(lambda: print('ray' in sys.modules and sys.modules['ray'].is_initialized()))\n"
        f"sys.argv = ['digits_grid.py', '--dry-run', '--storage', {str(tmp_path / 'results')!r}]\n"
        f"runpy.run_path({str(SCRIPTS['digits_grid'])!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=280, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    *lines, initialised = done.stdout.splitlines()
    assert initialised == "False"
    assert any(line.startswith("estimate on cpu (") for line in lines)
    assert re.search(r"teacher's training \d.*, teacher passes \d.*, students \d.*: about \d", lines[-1])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_help(script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In this process; test_readme.py has processes of their own."""
    monkeypatch.setattr(sys, "argv", [str(SCRIPTS[script]), "--help"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPTS[script]), run_name="__main__")
    out, err = capsys.readouterr()
    assert (ended.value.code, err) == (0, "")
    assert out.startswith(f"usage: python sweeps/{script}.py [")
    assert max(map(len, out.splitlines())) <= 120
    for preset in EXPECTED.get(script, {}):
        assert f"  {preset} " in out
