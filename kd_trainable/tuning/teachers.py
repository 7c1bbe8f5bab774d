"""Where a sweep's teacher comes from: a file, one kept from before, or one trained now; verified before it teaches."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from kd_trainable import teacher
from kd_trainable.data.images import ImageData
from kd_trainable.data.inputs import Inputs, make_inputs, wants_channels_last
from kd_trainable.engine import checkpoint
from kd_trainable.engine.evaluate import Score, evaluate
from kd_trainable.engine.plain import NumbersError, PlainRun, Row
from kd_trainable.engine.process import prepare_process
from kd_trainable.models.build import build, count_parameters
from kd_trainable.resolve import is_own
from kd_trainable.spec import RunSpec, spec_id
from kd_trainable.teacher import Card, Teacher
from kd_trainable.tuning.resume import go_on
from kd_trainable.tuning.run_folder import Fenced, RunFolder
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import DatasetEntry, InputError

# Of accuracy, between the card and here: other devices and versions round differently.
TOLERANCE, TOLERATED_IMAGES = 0.005, 3  # a share of all images; of few images so many
Progress = Callable[[int, int, int, Row | None], None]
"""(epoch from 0, step, steps, the row of the last finished epoch)"""


def kept(storage: Storage, recipe_id: str, network: str) -> Card | None:
    """The card of the teacher of this ``network`` that this recipe made, if it is kept.

    One that names another network is no such card: what is imported is for the recipe to say, not for a file.
    """
    for name in storage.names("teachers"):
        content = storage.read(f"teachers/{name}/card.json")
        card = teacher.parse_card(content, storage.shown("teachers", name, "card.json")) if content else None
        if card is not None and (card.recipe_id, card.architecture) == (recipe_id, network):
            return card
    return None


def load_kept(storage: Storage, card: Card) -> Teacher:
    """The teacher of a kept card, its file checked."""
    path = f"teachers/{card.fingerprint}/weights.safetensors"
    content = storage.read(path)
    if content is None:
        raise InputError(f"teacher: {storage.shown(path)} is missing")
    return teacher.decode(content, card, storage.shown(path))


def given(path: str, model: str | None, spec: RunSpec, known: DatasetEntry) -> Teacher:
    """The teacher in a file: ours with its card, or with ``model`` a plain state_dict of that network.

    ``model`` also allows a card to name that own code.
    """
    classes, channels = known.classes, known.shape[0]
    if model is None or _has_card(path, model):
        found = teacher.load(path, model)
        require_match(found.card, spec.dataset, known.fingerprint, classes)
        return found
    arrays = teacher.load_plain(path)
    module = build(model, classes, channels, "teacher_model")
    teacher.require_fit(module, {k: torch.from_numpy(v) for k, v in arrays.items()}, model)
    mean, std = known.normalizations[spec.normalization]
    card = Card(
        architecture=model,
        dataset=spec.dataset,
        data_fingerprint=known.fingerprint,
        classes=classes,
        channels=channels,
        normalization=spec.normalization,
        mean=mean,
        std=std,
        fingerprint=teacher.fingerprint(arrays),
        parameters=count_parameters(module),
    )
    return Teacher(card, arrays)


def _has_card(path: str | Path, model: str) -> bool:
    """Whether ``path`` is read by its card: a folder, a card, or weights beside one that names own ``model``."""
    path = Path(path).expanduser()
    if path.is_dir() or path.suffix == ".json":
        return True
    with contextlib.suppress(InputError):  # a foreign file may lie beside anything
        card = teacher.files_of(path)[1]
        return is_own(model) and teacher.card_of(card).architecture == model
    return False


def require_match(card: Card, dataset: str, data_fingerprint: str, classes: int) -> None:
    """Raises InputError unless the card speaks of this data set and its classes."""
    if card.classes != classes:
        raise InputError(f"teacher: it knows {card.classes} classes; {dataset} has {classes}")
    if card.data_fingerprint != data_fingerprint:
        raise InputError(f"teacher: it was trained on {card.dataset}; this sweep is on {dataset}")


def train(
    recipe: RunSpec,
    data: ImageData,
    data_fingerprint: str,
    storage: Storage,
    device: str,
    progress: Progress,
    note: Callable[[str], None] = lambda line: None,
) -> Card:
    """Trains the recipe, going on from where an interrupted training was, and keeps the teacher with its card.

    ``note`` is given a line for each damaged checkpoint. Raises InputError, and leaves nothing, where numbers end it:
    it would end so again; and where another driver has taken over.
    """
    prepare_process()
    inputs = make_inputs(
        data, recipe.protocol, recipe.normalization, device, wants_channels_last(device, recipe.precision)
    )
    run = PlainRun(recipe, inputs)
    folder = RunFolder(storage, spec_id(recipe, data_fingerprint))
    folder.claim()
    go_on(run, folder, note)
    try:
        _train_to_end(run, folder, progress)
        folder.require_own()
    except NumbersError as error:
        folder.forget()
        raise InputError(f"teacher: {recipe.student} with lr {recipe.lr:g}: {error}") from None
    except Fenced:
        raise InputError(f"teacher: its training in {storage.shown()} was taken over by another driver") from None
    card, files = teacher.encode(_card(run, data, data_fingerprint), teacher.arrays_of(run.student.state_dict()))
    for name, content in files.items():
        storage.write(f"teachers/{card.fingerprint}/{name}", content)
    folder.forget()  # the teacher is what it was for
    return card


def _train_to_end(run: PlainRun, folder: RunFolder, progress: Progress) -> None:
    while not run.done:
        epoch, last = len(run.history), run.history[-1] if run.history else None
        run.step_epoch(lambda step, steps, e=epoch, row=last: progress(e, step, steps, row))  # type: ignore[misc]
        folder.save_checkpoint(len(run.history), checkpoint.encode(run, {}))


def _card(run: PlainRun, data: ImageData, data_fingerprint: str) -> Card:
    """With the accuracies of a float32 forward, in which a teacher teaches, whatever it trained in."""
    spec = run.spec
    held_out, test = (evaluate(run.student, run.inputs, part, "float32").accuracy for part in ("validation", "test"))
    return Card(
        architecture=spec.student,
        dataset=data.name,
        data_fingerprint=data_fingerprint,
        classes=run.inputs.classes,
        channels=run.inputs.images.shape[1],
        normalization=spec.normalization,
        mean=run.inputs.mean,
        std=run.inputs.std,
        fingerprint=teacher.fingerprint(teacher.arrays_of(run.student.state_dict())),
        trained_on=spec.protocol,
        validation_accuracy=None if np.isnan(held_out) else held_out,
        test_accuracy=test,
        parameters=count_parameters(run.student),
        recipe=spec.flat(),
        recipe_id=spec_id(spec, data_fingerprint),
        made_with={"torch": torch.__version__, "python": platform.python_version()},
    )


def verify(found: Teacher, data: ImageData, device: str) -> tuple[Card, str]:
    """Measures the teacher on images it did not train on: held-out ones if its card says so, else test images.

    Returns the card with what was measured, and a line for people. Raises InputError when the card claims another
    accuracy, or when a teacher without a card is hardly better than chance.
    """
    card = found.card
    require_match(card, data.name, card.data_fingerprint, len(data.classes))
    part = "validation" if card.trained_on == "holdout" else "test"
    score, count = _measure(found, data, part, device)
    claimed = card.validation_accuracy if part == "validation" else card.test_accuracy
    images = "held-out" if part == "validation" else "test"
    line = f"teacher {card.architecture}: {100 * score.accuracy:.2f} % on {images} images"
    if claimed is not None and abs(score.accuracy - claimed) > max(TOLERANCE, TOLERATED_IMAGES / count):
        raise InputError(f"{line}, but its card says {100 * claimed:.2f} %: other images, or other weights")
    if claimed is None and score.accuracy < 1.5 / card.classes:
        raise InputError(f"{line}, hardly better than chance: other classes, another order of them, or normalization")
    if part == "validation":
        return replace(card, validation_accuracy=score.accuracy), line
    return replace(card, test_accuracy=score.accuracy), line


def _measure(found: Teacher, data: ImageData, part: str, device: str) -> tuple[Score, int]:
    """The score, and of how many images it is."""
    prepare_process()
    inputs: Inputs = make_inputs(
        data, "holdout", next(iter(data.normalizations)), device, wants_channels_last(device, "float32")
    )
    module: nn.Module = teacher.rebuild(found.card, found.arrays).to(device)
    score = evaluate(module, replace(inputs, mean=found.card.mean, std=found.card.std), part)
    return score, len(inputs.validation if part == "validation" else inputs.test_labels)
