"""Small texts for people: durations, the processor's name, an error as one line."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


ALLOCATION_FAILED = ("DefaultCPUAllocator: can't allocate memory", "DefaultCPUAllocator: not enough memory")
"""what torch says, in a RuntimeError, where the CPU's memory does not suffice"""


def duration(seconds: float) -> str:
    """'45 s', '3 min 20 s', '2 h 05 min', '3 d 04 h'."""
    s = round(max(0.0, seconds))
    if s < 60:
        return f"{s} s"
    if s < 3600:
        return f"{s // 60} min {s % 60:02d} s"
    if s < 86400:
        return f"{s // 3600} h {s % 3600 // 60:02d} min"
    return f"{s // 86400} d {s % 86400 // 3600:02d} h"


def device_name(device: torch.device) -> str:
    """The device a run ran on, by its model's name."""
    if device.type == "cuda":
        from torch import cuda

        return str(cuda.get_device_name(device))
    return f"cpu ({processor()})"


def processor() -> str:
    """The processor's name."""
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def one_line(error: BaseException) -> str:
    """An error as one line: its type and message; running out of memory says what helps."""
    text = " ".join(str(error).split())[:500]
    name = type(error).__name__
    if name == "OutOfMemoryError" and "CUDA" in text:
        return f"out of GPU memory: a smaller --batch-size, or fewer runs on a GPU (a larger --gpus-per-trial); {text}"
    if name in ("MemoryError", "OutOfMemoryError") or any(mark in text for mark in ALLOCATION_FAILED):
        return f"out of memory: a smaller --batch-size, or fewer runs at a time (--max-concurrent); {text}"
    return f"{name}: {text}"
