"""Every README command runs, every link leads somewhere, and the column page is the one records.py describes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from kd_trainable.records import EPOCH_COLUMNS, RUN_COLUMNS, describe

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PLANLESS = ("sweeps/export_best.py", "sweeps/train_teacher.py")
COMMANDS = sorted({found.strip() for found in re.findall(r"python (sweeps/\w+\.py[^`#\n']*)", README)})


def test_readme_names_commands() -> None:
    assert len(COMMANDS) >= 3


@pytest.mark.parametrize("command", COMMANDS)
def test_every_sweep_command_is_understood(command: str, tmp_path: Path) -> None:
    """As printed, but asking for the plan alone: for the help where a script has no plan."""
    words = shlex.split(command)
    only = ["--help"] if words[0] in PLANLESS else ["--dry-run", "--storage", str(tmp_path / "results")]
    done = subprocess.run([sys.executable, *words, *only], cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "runs of" in done.stdout or "usage:" in done.stdout
    assert not (tmp_path / "results").exists()


def test_a_student_of_ones_own_lies_in_the_current_folder(tmp_path: Path) -> None:
    """As README has it: mynets.py beside the person, who gives no PYTHONPATH."""
    assert "--student mynets:tiny" in README
    source = "from torch import nn\n\n\ndef tiny(num_classes, in_channels):\n"
    source += "    return nn.Sequential(nn.Flatten(), nn.Linear(in_channels * 64, num_classes))\n"
    (tmp_path / "mynets.py").write_text(source)
    command = [sys.executable, str(ROOT / "sweeps/digits_grid.py"), "--student", "mynets:tiny", "--dry-run"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "34 runs of 20 epochs" in done.stdout


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"`?make ([a-z-]+)", README))
    assert named >= {"demo", "test", "bench"}
    assert [target for target in named if not re.search(rf"^{target}:", makefile, re.M)] == []


def test_every_link_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert len(links) >= 4
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_column_page_is_the_one_records_describe() -> None:
    page = (ROOT / "docs/columns.md").read_text()
    assert describe(RUN_COLUMNS) in page
    assert describe(EPOCH_COLUMNS) in page
