"""Small texts for people: durations, the processor's name, an error as one line."""

from __future__ import annotations

import platform
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


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
    """An error as one line: its type and message; running out of GPU memory says what helps."""
    text = " ".join(str(error).split())[:500]
    if type(error).__name__ == "OutOfMemoryError":
        return f"out of GPU memory: fewer trials on a GPU (--gpus-per-trial) or a smaller --batch-size; {text}"
    return f"{type(error).__name__}: {text}"


def without_secrets(text: str) -> str:
    """A text whose URLs have lost the user and password before their host: ``s3://KEY:SECRET@bucket``."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)
