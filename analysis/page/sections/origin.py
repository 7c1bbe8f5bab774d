"""How to get the same again: the command, versions, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.page.parts import Code, Facts, Section, Text
from analysis.page.sweep import Sweep

NAMED = (
    ("metric", "selected by"),
    ("searcher", "searcher"),
    ("num_samples", "samples"),
    ("scheduler", "scheduler"),
    ("storage", "results in"),
)


def origin(sweep: Sweep) -> Section:
    """What sweep.json says; where there is none, that."""
    about = sweep.about
    if not about:
        said = (
            "Neither the command nor versions are known: the sweep's folder has no sweep.json, which the sweep's own "
            "command writes."
        )
        return Section("origin", "Command and versions", [Text(said, "note")])
    command = about.get("command")
    parts: list[Any] = [Code(str(command)) if command else Text("The command was not recorded.", "note")]
    pairs = [(called, str(about[name])) for name, called in NAMED if about.get(name)]
    pairs += [("began", _when(about.get("began"))), ("ended", _when(about.get("ended"), "not yet"))]
    versions = about.get("versions")
    pairs += [(str(name), str(value)) for name, value in versions.items()] if isinstance(versions, Mapping) else []
    return Section("origin", "Command and versions", [*parts, Facts(pairs)])


def _when(stamp: Any, missing: str = "not recorded") -> str:
    """'2025-11-20 17:00:00 UTC' of '2025-11-20T17:00:00+00:00'."""
    return str(stamp).replace("T", " ").replace("+00:00", "").removesuffix("Z")[:19] + " UTC" if stamp else missing
