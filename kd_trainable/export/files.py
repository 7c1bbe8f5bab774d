"""The files of an exported student, written, loaded back and checked before anybody has them."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kd_trainable.data.images import ImageData
from kd_trainable.export import card, check
from kd_trainable.export.formats import FORMATS, require_installed, written
from kd_trainable.export.loaders import script
from kd_trainable.export.student import OnPixels, Trained, network, sees
from kd_trainable.vocabulary import InputError, require_known

CARD, README = "card.json", "README.md"
IMAGES = re.compile(r"\d+ (random images|test images of [\w.:]+)")


def export(
    trained: Trained,
    name: str,
    data: ImageData | None,
    chosen: Mapping[str, Any],
    before: Mapping[str, Any] | None = None,
) -> dict[str, bytes]:
    """The files of the student in format ``name``, by file name, the card last.

    ``data``: the run's data set, if it is at hand. ``chosen``: for the card; ``how`` in words. ``before``: the card of
    an earlier export of this run, whose files stay. Raises InputError, in one line, for what cannot be exported, and
    for a file that does not say what the student says.
    """
    require_known("format", name, FORMATS)
    require_installed(name)
    _require_same(trained, data)
    takes = sees(trained, data)
    student = network(trained, takes)
    again = None if data is None else check.test_accuracy(trained, student, data)
    content = written(name, trained, OnPixels(student, takes), takes)
    said = card.card(trained, takes, data, chosen)
    loader = card.loader_of(name)
    files = {FORMATS[name].file: content, loader: script(FORMATS[name].loader, takes).encode()}
    images = check.images_for(takes, data)
    difference = _checked({**files, CARD: _json(said)}, loader, student, takes, images)
    checked = {
        "images": f"{len(images)} {'random images' if data is None else f'test images of {trained.spec.dataset}'}",
        "batches": list(check.BATCHES),
        "difference": difference,
        "tolerance": check.TOLERANCE,
        "test_accuracy": again,
    }
    said["class_names"] = said["class_names"] or _names(before, takes.classes)
    said["files"] = {**_still(before, trained), FORMATS[name].file: card.of_file(name, content, checked)}
    scripts = {facts["loader"]: script(FORMATS[facts["format"]].loader, takes) for facts in said["files"].values()}
    return {**files, README: card.readme(said, scripts).encode(), CARD: _json(said)}


def _require_same(trained: Trained, data: ImageData | None) -> None:
    recorded = trained.result.get("data_fingerprint")
    if data is not None and recorded and data.fingerprint() != recorded:
        raise InputError(
            f"dataset: the images of {trained.spec.dataset} here are not those that run {trained.spec_id} saw "
            f"(fingerprint {data.fingerprint()[:12]}, not {recorded[:12]})"
        )


def _checked(files: Mapping[str, bytes], loader: str, student: Any, takes: Any, images: Any) -> float:
    with tempfile.TemporaryDirectory(prefix="kd-export-") as folder:
        for file, content in files.items():
            Path(folder, file).write_bytes(content)
        return check.same_outputs(Path(folder), loader, student, takes, images)


def _names(before: Mapping[str, Any] | None, classes: int) -> list[str] | None:
    """The names of the classes that an earlier card says, if they are such."""
    found = (before or {}).get("class_names")
    fits = isinstance(found, list) and len(found) == classes and all(isinstance(name, str) for name in found)
    return found if fits else None


def _still(before: Mapping[str, Any] | None, trained: Trained) -> dict[str, Any]:
    """The files of an earlier export that stay; none if that was of another run, or by another version."""
    if before is None or (before.get("spec_id"), before.get("export_format")) != (trained.spec_id, card.EXPORT_FORMAT):
        return {}
    files = before.get("files")
    return {file: facts for file, facts in files.items() if _is_ours(file, facts)} if isinstance(files, dict) else {}


def _is_ours(file: str, facts: Any) -> bool:
    """Whether a card speaks of a file as ours do: a README is made of what it says."""
    known = FORMATS.get(str(facts.get("format"))) if isinstance(facts, dict) else None
    if known is None or (file, facts.get("loader")) != (known.file, card.loader_of(facts["format"])):
        return False
    checked = facts.get("checked")
    numbers = [checked.get(name) for name in ("difference", "tolerance")] if isinstance(checked, dict) else [None]
    return all(isinstance(number, float) for number in numbers) and _is_check(checked)


def _is_check(checked: Mapping[str, Any]) -> bool:
    again, images = checked.get("test_accuracy"), checked.get("images")
    return (again is None or isinstance(again, float)) and isinstance(images, str) and bool(IMAGES.fullmatch(images))


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()
