"""What the tests of security share: marks that code would leave if it ran, and scripts as a person starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "faults"))  # whose small sweep is watched here too
# Modules that our packages look for and mostly do not find, and one that each has loaded already.
SOUGHT = ("numexpr", "bottleneck", "onnx", "wandb", "triton", "anywidget", "sitecustomize", "usercustomize", "json")
CODE = """
import os, pathlib
pathlib.Path(os.environ["KD_TEST_SPRUNG"]).mkdir(parents=True, exist_ok=True)
def build(num_classes=10, in_channels=1):
    raise SystemExit("it ran")
loss = data = build
"""


@pytest.fixture
def sprung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The mark: a folder that any of the planted code makes, which must not be there at the end of the test."""
    mark = tmp_path / "sprung"
    monkeypatch.setenv("KD_TEST_SPRUNG", str(mark))
    yield mark
    assert not mark.exists(), "code out of a stranger's file has run"


def plant(folder: Path) -> Path:
    """Modules of the stranger's in a folder: ``evil``, a package, and those that others look for."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("evil", *SOUGHT):
        (folder / f"{name}.py").write_text(CODE)
    (folder / "evilpackage").mkdir(exist_ok=True)
    (folder / "evilpackage" / "__init__.py").write_text(CODE)
    return folder


Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def script(sprung: Path, tmp_path: Path) -> Script:
    """Runs a script of the repository in a folder, which holds the stranger's modules."""

    def run(name: str, *argv: object, within: Path) -> subprocess.CompletedProcess[str]:
        # without the tests' own path, which a person does not have
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"KD_TEST_SPRUNG": str(sprung)}
        command = [sys.executable, str(ROOT / name), *map(str, argv)]
        return subprocess.run(
            command, cwd=plant(within), env=environment, capture_output=True, text=True, timeout=240, check=False
        )

    return run


def one_line(ended: subprocess.CompletedProcess[str]) -> str:
    """The one line of a script that has refused."""
    assert (ended.returncode, ended.stdout) == (2, ""), (ended.stdout, ended.stderr)
    assert ended.stderr.count("\n") == 1, ended.stderr
    return ended.stderr
