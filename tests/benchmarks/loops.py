"""Our training loop against the usual one: the recipes of the source documents 002 and 000, the same data and cores.

Both sides live in processes of their own and take turns (A B A B ...), so that whatever else the machine does meets
both; a figure is the median of its turns. Ours runs in processes made like a sweep's.
"""

from __future__ import annotations

import functools
import statistics
import time
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from figures import Row, compared, has_bf16, seconds
from pixels import TRAIN, cifar_sized
from side import Side
from usual_loop import BATCH, UsualLoop

from kd_trainable import logits, shards
from kd_trainable.data.inputs import Inputs, make_inputs, wants_channels_last
from kd_trainable.engine.plain import PlainRun
from kd_trainable.engine.process import prepare_process
from kd_trainable.models.build import build
from kd_trainable.shards import Shard
from kd_trainable.spec import RunSpec
from kd_trainable.tuning.cluster import WORKER_ENVIRONMENT
from kd_trainable.vocabulary import Pixels

ROUNDS, USUAL_STEPS, PASS_IMAGES = 3, 6, 1000
STEPS = -(-TRAIN // BATCH)
CELLS, EPOCHS = 18, 5


@dataclass(frozen=True)
class Document:
    """A source document's recipe: fields of RunSpec, all but method, protocol, precision and epochs."""

    teacher: str
    recipe: dict[str, Any]
    images: int  # of our epoch that are trained on: all of them, or a part where an epoch takes long
    warm_up: int  # images trained on before anything is timed


SGD = {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}
ADAM = {"optimizer": "adam", "lr": 1e-4, "weight_decay": 0.0}
DOCUMENTS = {
    "002": Document(
        "resnet18",
        {"student": "conv5x5", "convention": "additive", "alpha": 0.1, "temperature": 30, **SGD},
        TRAIN,
        2560,
    ),
    "000": Document("vgg16", {"student": "conv4", "alpha": 0.5, "temperature": 8, **ADAM}, 24 * BATCH, 3 * BATCH),
}


def spec_of(document: str, precision: str = "float32") -> RunSpec:
    """The document's run as this library names it; all 50,000 images train, as in the usual loop."""
    found = DOCUMENTS[document]
    fixed = {"teacher": found.teacher, "protocol": "published", "precision": precision, "batch_size": BATCH}
    return RunSpec(**fixed, **found.recipe, schedule="constant", epochs=1000)


# In the process of the usual loop


@functools.cache
def usual(document: str) -> UsualLoop:
    """The document's usual loop, warm."""
    spec = spec_of(document)
    by_name = {
        "sgd": lambda p: torch.optim.SGD(p, lr=spec.lr, momentum=spec.momentum, weight_decay=spec.weight_decay),
        "adam": lambda p: torch.optim.Adam(p, lr=spec.lr),
    }
    loop = UsualLoop(spec.student, spec.teacher, by_name[spec.optimizer], float(spec.temperature), spec.weights(0))
    loop.steps(3)
    return loop


def usual_step(document: str) -> float:
    """Seconds of one of its steps."""
    return usual(document).steps(USUAL_STEPS)


# In the process, or processes, of this library


@functools.cache
def our_run(document: str, precision: str) -> PlainRun:
    """The document's run with its logits kept, warm."""
    run = _run(document, precision, DOCUMENTS[document].warm_up)
    run.step_epoch()
    return _run(document, precision, DOCUMENTS[document].images)


def our_epoch(document: str, precision: str = "float32") -> tuple[float, float]:
    """Seconds of an epoch's training, and of the epoch with its evaluation, of the document's number of images."""
    run, began = our_run(document, precision), time.perf_counter()
    row = run.step_epoch()
    return len(run.inputs.train) / row["images_per_second"], time.perf_counter() - began


def our_pass(document: str) -> float:
    """Seconds an image that a pass of the teacher takes: logits.compute over a part of the training images."""
    network, inputs = teacher(document), _inputs("float32", PASS_IMAGES)
    began = time.perf_counter()
    logits.compute(network, inputs, Pixels("crop4+flip"), Shard(0, 0))
    return (time.perf_counter() - began) / PASS_IMAGES


@functools.cache
def teacher(document: str) -> torch.nn.Module:
    """The document's teacher, untrained, warm."""
    network = build(DOCUMENTS[document].teacher, 10, 3).requires_grad_(False).eval()
    logits.compute(network, _inputs("float32", 250), Pixels("crop4+flip"), Shard(0, 0))
    return network


def _run(document: str, precision: str, images: int) -> PlainRun:
    inputs = _inputs(precision, images)
    drawn = np.random.default_rng(0).normal(size=(len(inputs.train), 10))
    content = shards.encode(drawn.astype(np.float16))

    def targets(epoch: int) -> torch.Tensor:
        kept = {Shard(0, epoch): shards.decode(content)}
        return logits.of_epoch(kept, 0, epoch, Pixels("crop4+flip"), table=False)

    return PlainRun(spec_of(document, precision), inputs, targets)


def _inputs(precision: str, images: int) -> Inputs:
    inputs = make_inputs(cifar_sized(), "published", "dataset", "cpu", wants_channels_last("cpu", precision))
    return replace(inputs, train=inputs.train[:images])


# The comparisons


def document_002() -> list[Row]:
    """An epoch with its logits kept, and the sweep of 18 cells x 5 epochs with the teacher's passes."""
    steps, epochs = _take_turns("002")
    trained, whole = (statistics.median(values) for values in zip(*epochs, strict=True))
    usual_epoch = STEPS * statistics.median(steps)
    note = f"usual: {STEPS} x a measured step of {seconds(usual_epoch / STEPS)}"
    name = "document 002, float32: an epoch once its logits are kept"
    evaluated = f"{name}, with our evaluation of 10,000 test images (the usual epoch without any)"
    return [
        compared(f"{name} ({note})", trained, usual_epoch, 50),
        Row(evaluated, seconds(whole), seconds(usual_epoch), usual_epoch / whole),
        _sweep_002(usual_epoch),
    ]


def _sweep_002(usual_epoch: float) -> Row:
    """As a sweep runs on two cores: two trials of one thread each, at the same time."""
    with our_side(1) as first, our_side(1) as second:
        passes, epochs = [], []
        for _ in range(ROUNDS):
            passes.append(max(_both(first.start(our_pass, "002"), second.start(our_pass, "002"))) / 2)
            both = _both(first.start(our_epoch, "002"), second.start(our_epoch, "002"))
            epochs.append([max(times) / 2 for times in zip(*both, strict=True)])
    a_pass = TRAIN * statistics.median(passes)
    trained, whole = (statistics.median(values) for values in zip(*epochs, strict=True))
    ours = CELLS * EPOCHS * trained + EPOCHS * a_pass
    evaluated = ours + CELLS * EPOCHS * (whole - trained)
    note = (
        f"extrapolated: {CELLS * EPOCHS} of our epochs at {seconds(trained)} + {EPOCHS} teacher passes at "
        f"{seconds(a_pass)}, two trials of one thread side by side, {seconds(evaluated)} with our evaluations; "
        f"usual: {CELLS * EPOCHS} epochs"
    )
    name = f"document 002, float32: {CELLS} cells x {EPOCHS} epochs with the teacher's passes"
    return compared(f"{name} ({note})", ours, CELLS * EPOCHS * usual_epoch, 25)


def document_000() -> list[Row]:
    """A step with its logits kept, in float32 and in bf16; the usual loop is float32 in both."""
    name = "document 000, {}: a step once its logits are kept"
    precisions = ["float32", "bf16"] if has_bf16() else ["float32"]
    steps, *epochs = _take_turns("000", *precisions)
    usual_s, count = statistics.median(steps), DOCUMENTS["000"].images // BATCH
    rows = []
    for precision, target, turns in zip(precisions, (4, 8), epochs, strict=False):
        ours = statistics.median(trained for trained, _ in turns) / count
        rows.append(compared(name.format(precision), ours, usual_s, target))
    if not has_bf16():
        missing = "not measured here: the processor has neither avx512_bf16 nor amx_bf16"
        rows.append(Row(name.format("bf16"), missing, target=">= 8x"))
    return rows


def _take_turns(document: str, *precisions: str) -> list[list[Any]]:
    """[seconds of usual steps, our epochs in each precision], turn by turn."""
    turns: list[list[Any]] = [[] for _ in range(1 + len(precisions or ("float32",)))]
    with Side(2) as theirs, our_side(2) as ours:
        for _ in range(ROUNDS):
            turns[0].append(theirs.call(usual_step, document))
            for own, precision in zip(turns[1:], precisions or ("float32",), strict=True):
                own.append(ours.call(our_epoch, document, precision))
    return turns


def _both(*futures: Future[Any]) -> list[Any]:
    return [future.result() for future in futures]


def our_side(threads: int) -> Side:
    """A process as a sweep makes its trials' processes."""
    return Side(threads, prepare_process, WORKER_ENVIRONMENT)
