"""Every notebook runs from top to bottom, on the results beside it and on poorer ones, and shows pictures and tables.

A kernel takes seconds to start, so all share one; what a notebook has named is gone before the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hand_made
import jupytext
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from analysis import show
from kd_trainable.vocabulary import InputError

pytestmark = pytest.mark.slow  # drawing, kernels or whole sweeps

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "analysis" / "notebooks"
SHOWN = {  # at least so many pictures and tables
    "01_first_look": (1, 3),
    "02_temperature_and_alpha": (3, 2),
    "03_is_the_gain_real": (2, 3),
    "04_methods": (3, 3),
}
LOUD = "import warnings; warnings.simplefilter('always')"
ANEW = "%reset -f\nimport os; os.chdir({!r})"


@pytest.fixture(scope="module")
def kernel() -> Iterator[NotebookClient]:
    """One kernel, and the client that every notebook is given to."""
    manager = KernelManager(kernel_name="python3", transport="ipc")
    manager.start_kernel()
    client = NotebookClient(new_notebook(cells=[new_code_cell(LOUD)]), km=manager, timeout=120)
    client.execute()
    yield client
    client.kc.stop_channels()
    manager.shutdown_kernel(now=True)


def executed(kernel: NotebookClient, name: str, where: Path, results: Path | None = None) -> Any:
    """The notebook with its outputs, run in the folder ``where``; ``results`` is what a person sets RESULTS to."""
    notebook = jupytext.read(FOLDER / f"{name}.py")
    tagged = [i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    if results is not None:
        notebook.cells.insert(tagged[0] + 1, new_code_cell(f"RESULTS = {str(results)!r}"))
    notebook.cells.insert(0, new_code_cell(ANEW.format(str(where))))
    kernel.nb = notebook
    kernel.execute()
    return notebook


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def shown(notebook: Any, kind: str) -> list[str]:
    """What was displayed of a kind: image/png, text/html or text/markdown."""
    found = [output["data"] for output in outputs(notebook) if output["output_type"] == "display_data"]
    return [str(data[kind]) for data in found if kind in data]


def printed(notebook: Any) -> str:
    """What was written to stdout and stderr: no warning, nothing that was forgotten."""
    return "".join(output["text"] for output in outputs(notebook) if output["output_type"] == "stream")


@pytest.mark.parametrize(("name", "where"), [*zip(SHOWN, (ROOT, FOLDER, FOLDER, ROOT), strict=True)])
def test_a_notebook_shows_the_results_beside_it(kernel: NotebookClient, name: str, where: Path) -> None:
    """Whether it is run from the repository's root or from its own folder."""
    notebook = executed(kernel, name, where)
    pictures, tables = SHOWN[name]
    assert printed(notebook) == ""
    assert len(shown(notebook, "image/png")) >= pictures
    assert len(shown(notebook, "text/html")) >= tables
    if name == "03_is_the_gain_real":  # whose settings' spreads differ, so that each stands on its own seeds
        assert UNKNOWN[name][0] not in "\n".join(shown(notebook, "text/markdown"))


def test_every_notebook_is_tested() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.py")) == sorted(SHOWN)


@pytest.fixture(scope="module")
def poor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One seed, no baseline, and a run that failed."""
    run = hand_made.run
    rows = [
        run(0.80 + 0.01 * t, 0.80, temperature=t, alpha=a, train_seconds=30.0) for t in (1.0, 4.0) for a in (0.5, 0.9)
    ]
    rows.append(run(None, None, temperature=20.0, status="failed", error="the loss is not finite", epochs_run=2))
    folder = tmp_path_factory.mktemp("results") / "sweeps" / "poor"
    folder.mkdir(parents=True)
    hand_made.runs_frame(rows).to_parquet(folder / "runs.parquet")
    epochs = [{"spec_id": f"run{i}", "epoch": e, "test_accuracy": 0.4 + 0.1 * e} for i in range(4) for e in (1, 2, 3)]
    hand_made.epochs_frame(epochs).to_parquet(folder / "epochs.parquet")
    return folder


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, of which neither has a result."""
    folder = tmp_path_factory.mktemp("results") / "sweeps" / "failed"
    folder.mkdir(parents=True)
    rows = [hand_made.run(status="failed", error="no memory", seed=0), hand_made.baseline(status="lost", seed=0)]
    hand_made.runs_frame(rows).to_parquet(folder / "runs.parquet")
    return folder


UNKNOWN = {
    "01_first_look": ("no undistilled baseline was run", "No run has finished"),
    "02_temperature_and_alpha": ("Not shown: luck cannot be told from settings", "Not shown: no run has finished"),
    "03_is_the_gain_real": ("No difference has an interval here", "No difference has an interval here"),
    "04_methods": ("No two methods were run", "No two methods were run"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_what_poorer_results_cannot_say_is_said_to_be_unknown(
    kernel: NotebookClient, name: str, poor: Path, failed: Path
) -> None:
    for folder, unknown in zip((poor, failed), UNKNOWN[name], strict=True):
        notebook = executed(kernel, name, ROOT, folder)
        assert printed(notebook) == ""
        assert unknown in "\n".join(shown(notebook, "text/markdown"))
        reasons = [
            reason in "".join(shown(notebook, "text/html")) for reason in ("the loss is not finite", "no memory")
        ]
        assert any(reasons) == (name == "01_first_look")


def test_a_shuffled_teacher_stands_beside_the_real_one(kernel: NotebookClient, tmp_path: Path) -> None:
    """The same setting, in points: five more under the real teacher, one less under the shuffled."""
    gains = {"none": 0.05, "shuffled-teacher": -0.01}
    luck = {0: 0.001, 1: -0.002, 2: 0.001}
    rows = [hand_made.baseline(0.7 + 0.01 * seed, 0.7, seed=seed) for seed in luck]
    for control, gain in gains.items():
        for sign, alpha in ((1, 0.5), (-1, 0.9)):
            rows += [
                hand_made.run(0.7 + 0.01 * seed + gain + sign * own, 0.7, seed=seed, control=control, alpha=alpha)
                for seed, own in luck.items()
            ]
    hand_made.runs_frame(rows).to_parquet(tmp_path / "runs.parquet")
    *_, table = shown(executed(kernel, "03_is_the_gain_real", ROOT, tmp_path), "text/html")
    assert "shuffled-teacher" in table
    assert re.findall(r">([-+]\d\.\d\d)</td>", table) == ["+5.00", "-1.00", "+5.00", "-1.00"]


@pytest.mark.parametrize("name", SHOWN)
def test_prose_states_no_result(name: str) -> None:
    """It stands beside any results, so a number in it would be wrong beside most."""
    prose = [cell.source for cell in jupytext.read(FOLDER / f"{name}.py").cells if cell.cell_type == "markdown"]
    assert len(prose) >= 5
    numbers = re.findall(r"[-+]?\d+\.\d+|\d+ ?(?:%|points?\b)", "\n".join(prose))
    assert [number for number in numbers if number != "95 %"] == []


def test_outside_the_repository_there_are_no_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an installed package: the line says what to do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(show, "__file__", str(tmp_path / "analysis" / "show.py"))
    with pytest.raises(InputError, match="set RESULTS to a folder of yours"):
        show.example("cifar10_grid")
