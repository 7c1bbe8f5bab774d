"""Dependencies are few, each has its reason in docs/security.md, and all that is installed is pinned."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MOST = 18  # packages that a user must install; one more needs a better reason than the last had


def name_of(requirement: str) -> str:
    """'ray' of 'ray[tune]>=2.60,<2.61', as package indexes compare names."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def asked() -> dict[str, set[str]]:
    """package -> the extras that ask for it; '' for what everybody needs."""
    groups = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
    found: dict[str, set[str]] = {}
    for extra, requirements in groups.items():
        for requirement in requirements:
            found.setdefault(name_of(requirement), set()).add(extra)
    return found


def reasons() -> dict[str, str]:
    """package -> its reason, of the table in docs/security.md."""
    lines = (ROOT / "docs" / "security.md").read_text().partition("## Dependencies")[2].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return {name_of(row[0].strip("`")): row[-1] for row in rows}


def test_each_has_a_reason_and_each_reason_a_dependency() -> None:
    assert set(asked()) - set(reasons()) == set()
    assert set(reasons()) - set(asked()) == set()
    assert all(len(reason) > 15 for reason in reasons().values())


def test_they_are_few() -> None:
    assert len(PROJECT["dependencies"]) <= MOST


def test_all_that_is_installed_is_pinned() -> None:
    for file in sorted((ROOT / ".lock").glob("*.txt")):
        lines = [line.strip().rstrip("\\").strip() for line in file.read_text().splitlines()]
        wanted = [line for line in lines if line and not line.startswith(("#", "--hash"))]
        loose = [line for line in wanted if not re.fullmatch(r"[A-Za-z0-9._-]+==[\w.+!-]+(?:\s*;.+)?", line)]
        assert loose == [], file
        assert len(wanted) >= 10


def test_what_everybody_needs_is_locked() -> None:
    locked = {name_of(line) for line in (ROOT / ".lock" / "requirements.txt").read_text().splitlines() if "==" in line}
    assert {package for package, extras in asked().items() if "" in extras} - locked == set()
