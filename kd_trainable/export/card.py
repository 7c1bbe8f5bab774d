"""What is said of an exported student: card.json for programs, README.md for people."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping
from typing import Any

from kd_trainable.data.images import ImageData
from kd_trainable.export.formats import FORMATS
from kd_trainable.export.student import Sees, Trained

EXPORT_FORMAT = 1
PACKAGES = ("kd-trainable", "torch", "onnx", "onnxscript", "onnxruntime", "safetensors")


def card(trained: Trained, takes: Sees, data: ImageData | None, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """All but the files. Accuracies are fractions of 1. ``chosen``: the sweep, and how the run was chosen."""
    spec, result = trained.spec, trained.result
    taught = {"name": spec.teacher, "fingerprint": result.get("teacher_fingerprint", "")} if spec.taught else None
    return {
        "export_format": EXPORT_FORMAT,
        "student": spec.student,
        "parameters": result["parameters"],
        "input": f"float32 pixels in [0, 1], [N, {', '.join(map(str, takes.shape))}]",
        "output": f"logits, [N, {takes.classes}]",
        "classes": takes.classes,
        "class_names": list(data.classes) if data is not None else None,
        "channels": takes.shape[0],
        "image_size": list(takes.shape[1:]),
        "normalization": spec.normalization,
        "mean": list(takes.mean),
        "std": list(takes.std),
        "dataset": spec.dataset,
        "data_fingerprint": result.get("data_fingerprint", ""),
        "validation_accuracy": _known(result.get("validation_accuracy_last")),
        "test_accuracy": result["test_accuracy_last"],
        "teacher": taught,
        "teacher_agreement": _known(result.get("teacher_agreement")) if spec.taught else None,
        "spec_id": trained.spec_id,
        "chosen": dict(chosen),
        "spec": spec.flat(),
        "device": result.get("device", ""),
        "files": {},
    }


def of_file(name: str, content: bytes, checked: Mapping[str, Any]) -> dict[str, Any]:
    """What a card says of a file of format ``name``."""
    return {
        "format": name,
        "loader": loader_of(name),
        "normalises": FORMATS[name].normalises,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "checked": dict(checked),
        "made_with": versions(),
    }


def loader_of(name: str) -> str:
    """The file name of a format's script."""
    return f"load_{name}.py"


def versions() -> dict[str, str]:
    """Of what is installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def readme(said: Mapping[str, Any], scripts: Mapping[str, str]) -> str:
    """README.md of the folder: what the student is, and for each of its files the lines that load it."""
    teacher = f"distilled from {said['teacher']['name']}" if said["teacher"] else "trained without a teacher"
    held_out = said["validation_accuracy"]
    accuracies = [f"{100 * held_out:.2f} % held out"] if held_out is not None else []
    accuracies.append(f"{100 * said['test_accuracy']:.2f} % on the test images")
    lines = [
        f"# {said['student']} on {said['dataset']}",
        "",
        f"{said['parameters']:,} parameters, {teacher}, seed {said['spec']['seed']}: {', '.join(accuracies)}.",
        f"Run `{said['spec_id']}`; {said['chosen']['how']}. Everything else stands in card.json.",
        "",
        f"It takes {said['input']}, and gives {said['output']}. Pixels are bytes / 255; any N will do. The pixels'",
        "mean and std are taken care of: by model.onnx and model.pt2 themselves, for model.safetensors by its loader.",
    ]
    for file, facts in said["files"].items():
        lines += ["", f"## {file}", "", FORMATS[facts["format"]].about, _checked(facts["checked"]), ""]
        lines += [f"`{facts['loader']}`:", "", "```python", scripts[facts["loader"]].rstrip(), "```"]
    return "\n".join(lines) + "\n"


def _checked(checked: Mapping[str, Any]) -> str:
    again = checked["test_accuracy"]
    anew = (
        "not computed anew, since the data was not at hand" if again is None else f"{100 * again:.2f} % computed anew"
    )
    return (
        f"Loaded back, its logits were the student's on {checked['images']}, within {checked['difference']:.1g} of the "
        f"largest ({checked['tolerance']:g} is allowed); test accuracy {anew}."
    )


def _known(value: Any) -> float | None:
    return None if value is None or value != value else float(value)
