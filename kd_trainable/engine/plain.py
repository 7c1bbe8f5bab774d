"""One student, trained plainly: the reference that says what a run is. Only torch and numpy; no Ray.

The pixels of a step are a function of (seed, epoch, image index), so the teacher's logits for an epoch are an
array that was computed once, here or elsewhere: ``targets(epoch)`` gives it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from kd_trainable.data import VIEWS
from kd_trainable.data.inputs import Inputs
from kd_trainable.data.stream import epoch_order, epoch_views
from kd_trainable.engine.evaluate import autocast, evaluate
from kd_trainable.engine.optim import (
    learning_rate,
    load_optimizer_tensors,
    make_optimizer,
    optimizer_tensors,
)
from kd_trainable.engine.process import synchronize
from kd_trainable.methods import METHODS, kd
from kd_trainable.methods.hard import hard_loss
from kd_trainable.models.build import build
from kd_trainable.resolve import resolve
from kd_trainable.spec import RunSpec, value_at
from kd_trainable.vocabulary import Batch, Method, Outputs

Targets = Callable[[int], Tensor]
"""epoch (from 0) -> the teacher's logits [N, K] for every training image in the view it has in that epoch."""

Row = dict[str, Any]
"""One epoch's numbers by column (records.EPOCH_COLUMNS)."""


class NumbersError(ArithmeticError):
    """The run's own numbers ended it (NaN or infinity): it would end so again, so it is not tried again."""


class PlainRun:
    """A student, its optimizer and its history. ``step_epoch`` trains one epoch; ``tensors`` is all of its state."""

    def __init__(self, spec: RunSpec, inputs: Inputs, targets: Targets | None = None) -> None:
        if spec.distilled and targets is None:
            raise ValueError(f"method {spec.method} needs the teacher's logits")
        self.spec, self.inputs, self.targets = spec, inputs, targets
        self.method = resolve_method(spec.method) if spec.distilled else None
        self.history: list[Row] = []
        self.student = make_student(spec, inputs)
        self.optimizer = make_optimizer(spec, self.student.parameters())

    @property
    def done(self) -> bool:
        """Whether the budget is spent, or early stopping has ended the run."""
        return len(self.history) >= self.spec.epochs or out_of_patience(self.history, self.spec.patience)

    def step_epoch(self, on_step: Callable[[int, int], None] | None = None) -> Row:
        """Trains one epoch and returns its row (records.EPOCH_COLUMNS). ``on_step(step, steps)`` hears progress."""
        spec, epoch = self.spec, len(self.history)
        targets = self.targets(epoch).to(self.inputs.device) if self.targets else None
        synchronize(self.inputs.device)
        began = time.perf_counter()
        sums = self._train(epoch, targets, on_step or _silent)
        synchronize(self.inputs.device)
        trained = time.perf_counter() - began
        row = self._row(epoch, sums, targets, trained)
        for part in ("validation", "test"):
            score = evaluate(self.student, self.inputs, part, spec.precision)
            row |= {f"{part}_loss": score.loss, f"{part}_accuracy": score.accuracy}
        if not np.isfinite(row["test_loss"]):  # the last step's own harm, which no training loss has seen yet
            raise NumbersError(f"the loss became {row['test_loss']:g} at the end of epoch {epoch + 1}")
        row["epoch_seconds"] = time.perf_counter() - began
        self.history.append(row)
        return row

    def _train(self, epoch: int, targets: Tensor | None, on_step: Callable[[int, int], None]) -> Tensor:
        """Sums over the epoch's images: total, hard and soft loss, images right."""
        spec, device = self.spec, self.inputs.device
        torch.manual_seed(derived_seed(spec.seed, epoch))  # dropout and the like: a function of (seed, epoch)
        if spec.fresh_optimizer and epoch in spec.milestones:
            self.optimizer = make_optimizer(spec, self.student.parameters())
        order, views = stream(spec, epoch, len(self.inputs.train), device)
        labels, steps = self.inputs.train_labels, -(-len(order) // spec.batch_size)
        sums = torch.zeros(4, device=device, dtype=torch.float64)
        self.student.train()
        for step in range(steps):
            indices = order[step * spec.batch_size : (step + 1) * spec.batch_size]
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(spec, epoch, step, steps)
            pixels = self.inputs.training_pixels(indices, views[indices], spec.augment)
            teacher = None if targets is None else Outputs(targets[indices].float())
            sums += self._step(epoch, pixels, Batch(labels[indices], indices), teacher)
            on_step(step + 1, steps)
        return sums

    def _step(self, epoch: int, pixels: Tensor, batch: Batch, teacher: Outputs | None) -> Tensor:
        hard_weight, soft_weight = self.spec.weights(epoch)
        with autocast(pixels.device, self.spec.precision):
            logits = self.student(pixels)
        hard = hard_loss(logits, batch.labels, self.spec.label_smoothing)
        soft = torch.zeros_like(hard)
        if self.method is not None and teacher is not None:
            given = hyperparameters(self.spec, epoch)
            soft = self.method(Outputs(logits.float()), teacher, batch, hyperparameters=given)
        total = hard_weight * hard + soft_weight * soft
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        self.optimizer.step()
        with torch.no_grad():
            right = (logits.argmax(1) == batch.labels).sum()
            return torch.stack([total, hard, soft, right / len(batch.labels)]).double() * len(batch.labels)

    def _row(self, epoch: int, sums: Tensor, targets: Tensor | None, seconds: float) -> Row:
        images = len(self.inputs.train)
        total, hard, soft, right = (sums / images).tolist()
        if not np.isfinite([total, hard, soft]).all():
            raise NumbersError(f"the loss became {total:g} in epoch {epoch + 1}")
        if self.spec.method == "kd" and self.spec.mode == "cse" and targets is not None:
            soft -= teacher_entropy(targets, value_at(self.spec.temperature, epoch))
        lr = self.optimizer.param_groups[0]["lr"]
        return {
            "epoch": epoch + 1,
            "lr": lr,
            "train_loss": total,
            "hard_loss": hard,
            "soft_loss": soft if self.spec.distilled else float("nan"),
            "train_accuracy": right,
            "images_per_second": images / seconds,
        }

    def tensors(self) -> dict[str, Tensor]:
        """Weights, buffers and optimizer state. With ``history`` it is all: rates and RNG follow from the epoch."""
        student = {f"student.{k}": v for k, v in self.student.state_dict().items()}
        optimizer = {f"optimizer.{k}": v for k, v in optimizer_tensors(self.optimizer).items()}
        return student | optimizer

    def load(self, tensors: Mapping[str, Tensor], history: list[Row]) -> None:
        """Goes on from a state that ``tensors`` and ``history`` gave, as if it had never stopped."""
        parts: dict[str, dict[str, Tensor]] = {"student": {}, "optimizer": {}}
        for key, value in tensors.items():
            part, _, name = key.partition(".")
            parts[part][name] = value
        self.student.load_state_dict(parts["student"])
        self.optimizer = make_optimizer(self.spec, self.student.parameters())
        load_optimizer_tensors(self.optimizer, parts["optimizer"])
        self.history = [dict(row) for row in history]


def make_student(spec: RunSpec, inputs: Inputs) -> nn.Module:
    """The student as its seed initialises it: on the CPU, so on every device alike, and alike for every method."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        student = build(spec.student, inputs.classes, inputs.images.shape[1], "student")
    layout = torch.channels_last if inputs.channels_last else torch.contiguous_format
    return student.to(inputs.device, memory_format=layout)  # type: ignore[call-overload]


def stream(
    spec: RunSpec, epoch: int, images: int, device: torch.device
) -> tuple[Int64[Tensor, " N"], Int64[Tensor, " N"]]:
    """The epoch's order of images, and each image's view by its index."""
    order = epoch_order(spec.seed, epoch, images)
    views = epoch_views(spec.seed, epoch, images, VIEWS[spec.augment])
    return torch.from_numpy(order).to(device), torch.from_numpy(views).to(device)


def resolve_method(name: str) -> Method:
    """The loss of a method by name or ``package.module:callable``. Raises InputError for a name that leads nowhere."""
    return resolve("method", name, METHODS, "a callable loss(student, teacher, batch, *, hyperparameters)")


def hyperparameters(spec: RunSpec, epoch: int) -> dict[str, Any]:
    """What the method is given in an epoch: its own hyperparameters, the temperature, and the mode as a weight."""
    declared = METHODS[spec.method].hyperparameters if spec.method in METHODS else {}
    softening = {"temperature": value_at(spec.temperature, epoch), "modes": {spec.mode: 1.0}}
    return {**declared, **spec.hyperparameters, **softening}


def teacher_entropy(targets: Float[Tensor, "N K"], temperature: float) -> float:
    """Mean entropy (nats) of the softened teacher: what soft cross-entropy has above KL."""
    logits = targets.float()
    return float(kd.MODES["cse"](logits, logits, temperature))


def out_of_patience(history: list[Row], patience: int) -> bool:
    """Whether the last ``patience`` epochs brought no better validation accuracy; 0 never is."""
    if not patience or len(history) <= patience:
        return False
    seen = [row["validation_accuracy"] for row in history]
    return max(seen[-patience:]) <= max(seen[:-patience])


def derived_seed(seed: int, epoch: int) -> int:
    """A torch seed for one epoch of one run."""
    words = np.random.SeedSequence([seed, epoch]).generate_state(2, np.uint32)
    return int(words[0]) << 32 | int(words[1])


def _silent(step: int, steps: int) -> None:
    return
