"""sweeps/export_best.py on a stranger's results folder, in which a person stands: names of code are not followed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import conftest
import exported_runs
import pandas as pd
import pytest
from conftest import one_line

BEST = "sweeps/export_best.py"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder of one run, which is its winner."""
    return exported_runs.stored(tmp_path_factory.mktemp("export") / "results", exported_runs.trained())


@pytest.fixture
def results(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "stranger"))


def run_of(results: Path) -> Path:
    (found,) = (results / "runs").iterdir()
    return found


def result(results: Path, spec: dict[str, Any] | None = None, **changes: Any) -> None:
    """Changes of the run's result, and of its row in the sweep's table."""
    path = run_of(results) / "result.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, **changes, "spec": {**values["spec"], **(spec or {})}}))
    table = pd.read_parquet(results / "sweeps/first/runs.parquet")
    for name, value in (spec or {}).items():
        table[name] = pd.Series([value] * len(table), dtype="string")
    table.to_parquet(results / "sweeps/first/runs.parquet")


def card(results: Path, **changes: Any) -> None:
    """An earlier export, as it says of itself."""
    folder = results / "exports" / f"first-{run_of(results).name[:8]}"
    folder.mkdir(parents=True)
    said = {"export_format": 1, "spec_id": run_of(results).name, "files": {}, **changes}
    (folder / "card.json").write_text(json.dumps(said))


SEES = {"shape": [1, 8, 8], "classes": 10, "mean": [0.3], "std": [0.4]}
REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "own code for a student": (lambda r: result(r, {"student": "evil:build"}), "names own code, 'evil:build'"),
    "a module of Python's": (lambda r: result(r, {"student": "posix:system"}), "names own code, 'posix:system'"),
    "an image without end": (lambda r: result(r, sees={**SEES, "shape": [1, 1 << 40, 1]}), "sees is "),
    "classes without end": (lambda r: result(r, sees={**SEES, "classes": 1 << 40}), "sees is "),
    "no sight": (lambda r: result(r, sees=[7]), "sees is [7]: damaged"),
    "no parameters": (lambda r: result(r, parameters=None), "has no parameters"),
    "an infinite accuracy": (lambda r: result(r, test_accuracy_last=1e999), "but the result says inf %"),
    "a result of texts": (lambda r: result(r, test_accuracy_last="high"), "is unfinished; only a finished run"),
    "another's folder": (lambda r: card(r, spec_id="\x1b[2J"), "holds the export of run"),
}
SHOWN: dict[str, Callable[[Path], None]] = {
    "own code for a data set": lambda r: result(r, {"dataset": "evil:data"}),
    "own code for a teacher": lambda r: result(r, {"teacher": "evilpackage.sub:build"}),
    "files of an earlier card": lambda r: card(r, files={"model.pt2": {"format": "torch_export", "loader": "../x.py"}}),
    "files that are none": lambda r: card(r, files=[1], class_names=[["<script>"]]),
    "names that are none": lambda r: card(r, files={"../x": 5}, class_names={"a": 1}),
    "ids that are none": lambda r: (r / "sweeps/first/ids.json").write_text("7") and None,
}


@pytest.mark.parametrize("attack", REFUSED)
def test_it_is_refused_in_one_line(attack: str, results: Path, script: conftest.Script) -> None:
    change, said = REFUSED[attack]
    change(results)
    line = one_line(script(BEST, ".", within=results))
    assert line.startswith("export_best.py: error: ")
    assert said in line
    assert "\x1b" not in line


@pytest.mark.parametrize("attack", SHOWN)
def test_it_is_exported_and_nothing_runs(attack: str, results: Path, script: conftest.Script) -> None:
    SHOWN[attack](results)
    ended = script(BEST, "--run", run_of(results).name[:6], ".", within=results)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    (folder,) = (results / "exports").iterdir()
    written = json.loads((folder / "card.json").read_text())
    assert list(written["files"]) == ["model.safetensors"]
    assert written["class_names"] is None or len(written["class_names"]) == 10


def test_own_code_runs_where_the_person_names_it(results: Path, script: conftest.Script, sprung: Path) -> None:
    """Or else the tests above would show nothing: the stranger's module is there to be found."""
    result(results, {"student": "evil:build"})
    ended = script(BEST, "--student", "evil:build", ".", within=results)
    assert sprung.exists(), ended.stderr
    sprung.rmdir()


def test_a_path_for_a_run_is_refused(results: Path, script: conftest.Script) -> None:
    table = pd.read_parquet(results / "sweeps/first/runs.parquet")
    table.assign(spec_id=pd.Series(["../../x"], dtype="string")).to_parquet(results / "sweeps/first/runs.parquet")
    assert "column spec_id holds '../../x'" in one_line(script(BEST, ".", within=results))


@pytest.mark.parametrize("name", ["analysis/report.py", "analysis/pareto.py", BEST])
def test_who_stands_in_a_strangers_folder_imports_nothing_of_it(
    name: str, results: Path, script: conftest.Script
) -> None:
    ended = script(name, ".", within=results)
    assert ended.returncode == 0, ended.stderr


def test_a_sweep_that_is_planned_in_a_strangers_folder_imports_nothing_of_it(
    results: Path, script: conftest.Script
) -> None:
    ended = script("sweeps/digits_grid.py", "--dry-run", "--storage", ".", within=results)
    assert ended.returncode == 0, ended.stderr
