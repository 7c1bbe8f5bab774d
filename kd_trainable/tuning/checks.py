"""What only torch can tell before anything starts: networks that fit their images, kept logits that fit the teacher."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from kd_trainable import logits, shards, teacher
from kd_trainable.data.images import ImageData
from kd_trainable.data.inputs import make_inputs, wants_channels_last
from kd_trainable.engine.distances import Term, given_to, make_terms, require_finite
from kd_trainable.engine.features import outputs
from kd_trainable.engine.process import free_cache
from kd_trainable.models.build import build
from kd_trainable.models.start import fetch, require_start
from kd_trainable.spec import RunSpec
from kd_trainable.teacher import Teacher
from kd_trainable.tuning.space import Space
from kd_trainable.tuning.store import Storage
from kd_trainable.tuning.text import one_line
from kd_trainable.vocabulary import Batch, DatasetEntry, InputError, Outputs, Pixels

LARGEST_DISAGREEMENT = 4.0  # roundings of float16: another device or version may round the float32 forward otherwise


def check_networks(space: Space, recipe: RunSpec | None, known: DatasetEntry) -> None:
    """Raises InputError unless every student, and the teacher to be trained, maps the data's images to its classes."""
    for field in ("student", "peer"):
        for name in filter(None, space.values(field)):
            require_shape(field, name, known.shape, known.classes)
    if recipe is not None:
        require_shape("teacher", recipe.student, known.shape, known.classes)
        require_network_start(recipe, recipe.student, "teacher")
    teacher_name = recipe.student if recipe is not None else str(space.fixed.get("teacher", ""))
    networks: dict[str, nn.Module] = {}
    for spec in space.samples(("method", "taps", "student", "peer", "init", "pretrained", "zero_gamma", "dropout")):
        require_terms(replace(spec, teacher=teacher_name) if spec.taught else spec, networks, known)


def require_network_start(spec: RunSpec, name: str, field: str) -> None:
    """Raises InputError unless the network ``name`` can start as the spec says."""
    how = {"init": spec.init, "pretrained": spec.pretrained, "zero_gamma": spec.zero_gamma, "dropout": spec.dropout}
    require_start(name, **how, field=field)  # type: ignore[arg-type]


def require_terms(spec: RunSpec, networks: dict[str, nn.Module], known: DatasetEntry) -> None:
    """Raises InputError unless the method's terms fit student and teacher, and are finite on random images.

    ``networks``: those built so far, by name; a teacher's weights do not matter here.
    """
    require_network_start(spec, spec.student, "student")
    if spec.mutual and spec.peer:
        require_network_start(spec, spec.peer, "peer")
    for name in {spec.student, spec.teacher} - {"", *networks}:
        networks[name] = build(name, known.classes, known.shape[0], "teacher" if name == spec.teacher else "student")
    student, teacher = networks[spec.student].eval(), networks[spec.teacher].eval() if spec.live else None
    example = torch.randn(4, *known.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for term in make_terms(spec, student, teacher, example):
            ours = outputs(student, example, [pair.student for pair in term.pairs])
            other = student if teacher is None else teacher
            theirs = outputs(other, example, [pair.teacher for pair in term.pairs] if teacher is not None else [])
            batch = Batch(torch.zeros(4, dtype=torch.int64), torch.arange(4))
            require_finite(term.name, _distance(term, ours, theirs, batch, given_to(term.name, spec, 0)))


def _distance(term: Term, ours: Outputs, theirs: Outputs, batch: Batch, given: Mapping[str, Any]) -> torch.Tensor:
    try:
        return term(ours, theirs, batch, given)
    except InputError:
        raise
    except Exception as error:  # whatever a person's own method raises
        names = ", ".join(given)
        raise InputError(
            f"method: {term.name} fails on random images: {one_line(error)}; it is given logits, labels and {names}"
        ) from None


def fetch_weights(space: Space, recipe: RunSpec | None) -> None:
    """Has the pretrained weights that the sweep's networks start from in torch.hub's folder, before anything starts.

    Raises InputError where they cannot be had.
    """
    for name in pretrained_networks(space, recipe):
        fetch(name)


def pretrained_networks(space: Space, recipe: RunSpec | None) -> list[str]:
    """The networks that start from torchvision's weights, each once."""
    specs = space.samples(("method", "student", "peer", "pretrained"))
    names = {spec.student: None for spec in specs if spec.pretrained}
    names |= {spec.peer: None for spec in specs if spec.pretrained and spec.mutual and spec.peer}
    return [*names, *([recipe.student] if recipe is not None and recipe.pretrained else [])]


@torch.inference_mode()
def require_shape(field: str, name: str, shape: tuple[int, int, int], classes: int) -> None:
    """Raises InputError unless the network ``name`` maps [2, *shape] to [2, classes]."""
    try:
        given = tuple(build(name, classes, shape[0], field).eval()(torch.zeros(2, *shape)).shape)
    except InputError:
        raise
    except Exception as error:  # whatever a person's own network raises, while it is built or in its forward
        raise InputError(f"{field}: {name} does not take images of {_by(shape)}: {one_line(error)}") from None
    if given != (2, classes):
        raise InputError(f"{field}: {name} gives {_by(given)} for 2 images of {_by(shape)}; must be 2 x {classes}")


def check_kept(
    storage: Storage,
    folders: Iterable[tuple[str, Pixels]],
    found: Teacher,
    data: ImageData,
    protocol: str,
    device: str,
    say: Callable[[str], None],
) -> None:
    """Compares entries of a kept shard in each (folder, pixels) with a live forward; drops folders that differ."""
    for folder, pixels in folders:
        there = [s for name in storage.names(folder) if (s := shards.Shard.of_file(name)) is not None]
        if not there:
            continue
        content = storage.read(f"{folder}/{there[-1].file}") or b""
        if not _agrees(content, there[-1], found, data, protocol, pixels, device):
            say(f"kept logits in {storage.shown(folder)} are not this teacher's: computed anew")
            storage.delete_folder(folder)
    free_cache(device)


def _agrees(
    content: bytes, shard: shards.Shard, found: Teacher, data: ImageData, protocol: str, pixels: Pixels, device: str
) -> bool:
    try:
        kept = shards.decode(content)
    except ValueError:
        return True  # cut short: the broker passes over it, the others may be whole
    inputs = make_inputs(
        data, protocol, next(iter(data.normalizations)), device, wants_channels_last(device, "float32")
    )
    inputs = replace(inputs, mean=found.card.mean, std=found.card.std)
    module = teacher.rebuild(found.card, found.arrays).to(device)
    return logits.disagreement(module, inputs, pixels, shard, kept) <= LARGEST_DISAGREEMENT


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
