"""What a benchmark found, as rows of one Markdown table, and the machine it was found on."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

HEADER = ("what", "ours", "usual loop", "ratio", "target", "met")


@dataclass(frozen=True)
class Row:
    """One line of the table. ``ratio`` is usual / ours; ``met`` is None where nothing was measured."""

    what: str
    ours: str
    usual: str = "–"
    ratio: float | None = None
    target: str = "–"
    met: bool | None = None

    def cells(self) -> list[str]:
        """The line's cells, as in HEADER."""
        ratio = "–" if self.ratio is None else f"{self.ratio:.1f}x"
        met = "–" if self.met is None else ("yes" if self.met else "no")
        return [self.what, self.ours, self.usual, ratio, self.target, met]


def compared(what: str, ours_s: float, usual_s: float, target: float) -> Row:
    """A row for two times of one thing, in seconds."""
    ratio = usual_s / ours_s
    return Row(what, seconds(ours_s), seconds(usual_s), ratio, f">= {target:g}x", ratio >= target)


def seconds(value: float) -> str:
    """A duration with three significant digits, in the unit that reads best."""
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s" if value < 1000 else f"{value:,.0f} s"


def markdown(rows: Sequence[Row]) -> str:
    """The table."""
    lines = [HEADER, ("---",) * len(HEADER), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine() -> dict[str, Any]:
    """Where and when the figures were found; the load average says who else was at work."""
    return {
        "processor": _cpu("model name") or platform.processor() or platform.machine(),
        "bf16": has_bf16(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "date": datetime.datetime.now().astimezone().isoformat(timespec="minutes"),
        "load_average": load_average(),
    }


def load_average() -> str:
    """The machine's load over 1, 5 and 15 minutes."""
    try:
        return " ".join(Path("/proc/loadavg").read_text().split()[:3])
    except OSError:
        return "unknown"


def has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 itself."""
    return any(flag in _cpu("flags").split() for flag in ("avx512_bf16", "amx_bf16"))


def as_json(rows: Sequence[Row]) -> dict[str, Any]:
    """The figures and the machine, for a file."""
    return {"machine": machine(), "rows": [asdict(row) for row in rows]}


def _cpu(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.split(":")[0].strip() == key), "")
