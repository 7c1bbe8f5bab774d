"""What `ray up` copies to a node is the project's code, whole, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from checks import ROOT

FILES = ("cluster.yaml", "docs/cluster/gcp.yaml")


@pytest.mark.fault
@pytest.mark.parametrize("name", FILES)
def test_a_node_gets_the_code_and_nothing_else(name: str, tmp_path: Path) -> None:
    """By rsync, with the arguments that Ray gives it (command_runner.py, run_rsync_up)."""
    assert shutil.which("rsync"), "rsync is missing: apt-get install rsync"
    file = yaml.safe_load((ROOT / name).read_text())
    excluded = [word for pattern in file["rsync_exclude"] for word in ("--exclude", pattern)]
    project = {remote: local for remote, local in file["file_mounts"].items() if not local.startswith("~")}
    for local in project.values():
        target = tmp_path / local
        target.mkdir(parents=True)
        subprocess.run(["rsync", "-avz", *excluded, f"{ROOT / local}/", f"{target}/"], check=True, capture_output=True)
    copied = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *project.values()]
    known = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    assert copied == {path for path in known if (ROOT / path).exists()}
    assert all(remote == f"/home/ray/kd-trainable/{local}" for remote, local in project.items())
