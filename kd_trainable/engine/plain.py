"""One student, trained plainly: the reference that says what a run is. Only torch and numpy; no Ray.

The pixels of a step are a function of (seed, epoch, image index), so the teacher's logits for an epoch are an
array that was computed once, here or elsewhere: ``targets(epoch)`` gives it. A method that compares features is
given the teacher itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kd_trainable.data.inputs import Inputs
from kd_trainable.data.pixels import Looks
from kd_trainable.data.stream import epoch_order
from kd_trainable.engine.distances import Term, given_to, make_terms, teacher_entropy
from kd_trainable.engine.evaluate import autocast, evaluate
from kd_trainable.engine.features import outputs
from kd_trainable.engine.guides import KeptLogits, Live, LiveTeacher, Targets, detached
from kd_trainable.engine.mutual import Peer
from kd_trainable.engine.optim import (
    learning_rate,
    load_optimizer_tensors,
    make_optimizer,
    makes_anew,
    optimizer_tensors,
    out_of_patience,
    require_optimizer_tensors,
)
from kd_trainable.engine.process import synchronize
from kd_trainable.engine.student import derived_seed, make_student
from kd_trainable.methods.hard import hard_loss, mixed_hard_loss
from kd_trainable.spec import RunSpec, value_at
from kd_trainable.terms import entry, softened
from kd_trainable.vocabulary import Batch, Outputs

Row = dict[str, Any]
"""One epoch's numbers by column (records.EPOCH_COLUMNS)."""


class NumbersError(ArithmeticError):
    """The run's own numbers ended it (NaN or infinity): it would end so again, so it is not tried again."""


class PlainRun:
    """A student, its optimizer and its history. ``step_epoch`` trains one epoch; ``tensors`` is all of its state."""

    def __init__(
        self, spec: RunSpec, inputs: Inputs, targets: Targets | None = None, teacher: LiveTeacher | None = None
    ) -> None:
        if spec.taught and (targets is None if not spec.live else teacher is None):
            raise ValueError(f"method {spec.method} needs the teacher{'' if spec.live else chr(39) + 's logits'}")
        self.spec, self.inputs = spec, inputs
        self.history: list[Row] = []
        self.teacher_classes: Tensor | None = None  # of the test images, int64 [N], where anybody knows them
        self.student = make_student(spec, inputs)
        example = inputs.as_input(inputs.images[:2])
        self.terms = make_terms(spec, self.student, teacher.network if teacher else None, example)
        self.taps = list(dict.fromkeys(pair.student for term in self.terms for pair in term.pairs))
        self.guide = self._guide(targets, teacher)
        self.peer = Peer(spec, inputs, self.terms) if spec.mutual else None
        self.optimizer = make_optimizer(spec, self._trained())

    def _guide(self, targets: Targets | None, teacher: LiveTeacher | None) -> KeptLogits | Live | None:
        if not self.spec.taught:
            return None
        if self.spec.live and teacher is not None:
            taps = dict.fromkeys(pair.teacher for term in self.terms for pair in term.pairs)
            return Live(self.spec, teacher, self.inputs, list(taps))
        assert targets is not None
        return KeptLogits(targets, self.inputs.device)

    def _trained(self) -> list[nn.Module]:
        """What one optimizer trains: the student, and its adapters."""
        return [self.student, *self._adapters().values()]

    def _adapters(self) -> dict[str, nn.Module]:
        return {term.name: term.adapter for term in self.terms if term.adapter is not None}

    @property
    def done(self) -> bool:
        """Whether the budget is spent, or early stopping has ended the run."""
        return len(self.history) >= self.spec.epochs or out_of_patience(self.spec, self.history)

    def step_epoch(self, on_step: Callable[[int, int], None] | None = None) -> Row:
        """Trains one epoch and returns its row (records.EPOCH_COLUMNS). ``on_step(step, steps)`` hears progress."""
        spec, epoch, images = self.spec, len(self.history), len(self.inputs.train)
        began = time.perf_counter()
        looks = Looks.of(spec.seed, epoch, self.inputs, spec.pixels)
        drawn = time.perf_counter() - began
        if self.guide is not None:
            self.guide.begin(epoch, looks)
        synchronize(self.inputs.device)
        began = time.perf_counter() - drawn  # without waiting for the teacher
        sums = self._train(epoch, looks, on_step or _silent)
        synchronize(self.inputs.device)
        trained = time.perf_counter() - began
        row = self._row(epoch, sums) | {"images_per_second": images / trained}
        for part in ("validation", "test"):
            score = evaluate(self.student, self.inputs, part, spec.precision, self.teacher_classes)
            row |= {f"{part}_loss": score.loss, f"{part}_accuracy": score.accuracy}
        if self.teacher_classes is not None:
            row["teacher_agreement"] = score.agreement
        if not np.isfinite(row["test_loss"]):  # the last step's own harm, which no training loss has seen yet
            raise NumbersError(f"the loss became {row['test_loss']:g} at the end of epoch {epoch + 1}")
        if self.peer is not None:
            row["peer_test_accuracy"] = self.peer.evaluate().accuracy
        row["epoch_seconds"] = time.perf_counter() - began
        self.history.append(row)
        return row

    def _train(self, epoch: int, looks: Looks, on_step: Callable[[int, int], None]) -> Tensor:
        """Sums over the epoch's images: total, hard loss, images right, and every term's distance."""
        spec, device, images = self.spec, self.inputs.device, len(self.inputs.train)
        torch.manual_seed(derived_seed(spec.seed, epoch))  # dropout and the like: a function of (seed, epoch)
        if makes_anew(spec, epoch):
            self.optimizer = make_optimizer(spec, self._trained())
            if self.peer is not None:
                self.peer.renew()
        order = torch.from_numpy(epoch_order(spec.seed, epoch, images)).to(device)
        labels, steps = self.inputs.train_labels, -(-images // spec.batch_size)
        sums = torch.zeros(3 + len(self.terms), device=device, dtype=torch.float64)
        self.student.train()
        if self.peer is not None:
            self.peer.network.train()
        for step in range(steps):
            indices = order[step * spec.batch_size : (step + 1) * spec.batch_size]
            rate = learning_rate(spec, epoch, step, steps, self.history)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            pixels = self.inputs.training_pixels(indices, looks)
            sums += self._step(epoch, pixels, Batch(labels[indices], indices), looks)
            on_step(step + 1, steps)
        return sums

    def _step(self, epoch: int, pixels: Tensor, batch: Batch, looks: Looks) -> Tensor:
        hard_weight, _ = self.spec.weights(epoch)
        teacher = self.guide.outputs(batch.indices, pixels) if self.guide is not None else None
        peer = self.peer.outputs(pixels) if self.peer is not None else None
        with autocast(pixels.device, self.spec.precision):
            student = outputs(self.student, pixels, self.taps)
        hard = self._hard(student.logits, batch, looks)
        total, logged = hard_weight * hard, []
        for term in self.terms:
            other = detached(peer) if peer is not None and entry(term.name).peer else teacher
            assert other is not None
            distance = term(student, other, batch, given_to(term.name, self.spec, epoch))
            total = total + self.spec.term_weight(term.name, epoch) * distance
            logged.append(distance.detach() - self._constant(term, other, epoch))
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        self.optimizer.step()
        if self.peer is not None and peer is not None:
            rate = self.optimizer.param_groups[0]["lr"]
            self.peer.step(peer, student, batch, lambda logits: self._hard(logits, batch, looks), epoch, rate)
        with torch.no_grad():
            right = (student.logits.argmax(1) == batch.labels).sum() / len(batch.labels)
            return torch.stack([total, hard, right, *logged]).double() * len(batch.labels)

    def _hard(self, logits: Tensor, batch: Batch, looks: Looks) -> Tensor:
        smoothing, mix = self.spec.label_smoothing, looks.mix(batch.indices)
        if mix is None:
            return hard_loss(logits, batch.labels, smoothing)
        partners, shares = mix
        return mixed_hard_loss(logits, batch.labels, self.inputs.labels[self.inputs.train[partners]], shares, smoothing)

    def _constant(self, term: Term, other: Outputs, epoch: int) -> Tensor | float:
        """What a term's distance has above what is logged, so that curves compare across modes and T."""
        if term.name != "kd" or self.spec.mode != "cse":
            return 0.0
        return teacher_entropy(other.logits, value_at(self.spec.temperature, epoch))

    def _row(self, epoch: int, sums: Tensor) -> Row:
        total, hard, right, *distances = (sums / len(self.inputs.train)).tolist()
        if not np.isfinite([total, hard, *distances]).all():
            raise NumbersError(f"the loss became {total:g} in epoch {epoch + 1}")
        by_term = dict(zip(self.spec.terms, distances, strict=True))
        soft = [value for name, value in by_term.items() if softened(name)]
        lr = self.optimizer.param_groups[0]["lr"]
        row = {"epoch": epoch + 1, "lr": lr, "train_loss": total, "hard_loss": hard}
        row["soft_loss"] = sum(soft) if soft else float("nan")
        row |= {f"{name}_loss": value for name, value in by_term.items() if not softened(name)}
        return row | {"train_accuracy": right}

    def tensors(self) -> dict[str, Tensor]:
        """Weights, buffers and optimizer state. With ``history`` it is all: rates and RNG follow from the epoch."""
        parts = {name: module.state_dict() for name, module in self._modules().items()}
        parts |= {name: optimizer_tensors(optimizer) for name, optimizer in self._optimizers().items()}
        return {f"{part}.{name}": value for part, tensors in parts.items() for name, value in tensors.items()}

    def load(self, tensors: Mapping[str, Tensor], history: list[Row]) -> None:
        """Goes on from a state that ``tensors`` and ``history`` gave, as if it had never stopped.

        Raises ValueError, and changes nothing, where they are not of this run's networks.
        """
        parts: dict[str, dict[str, Tensor]] = {name: {} for name in (*self._modules(), *self._optimizers())}
        for key, value in tensors.items():
            part, _, name = key.partition(".")
            parts.setdefault(part, {})[name] = value
        self._require_own(parts)
        for name, module in self._modules().items():
            module.load_state_dict(parts[name])
        self.optimizer = make_optimizer(self.spec, self._trained())
        if self.peer is not None:
            self.peer.renew()
        for name, optimizer in self._optimizers().items():
            load_optimizer_tensors(optimizer, parts[name])
        self.history = [dict(row) for row in history]

    def _require_own(self, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
        own = {name: _shapes(module.state_dict()) for name, module in self._modules().items()}
        theirs = {name: _shapes(tensors) for name, tensors in parts.items() if name not in self._optimizers()}
        for name in sorted({*own, *theirs}):
            if own.get(name) != theirs.get(name):
                raise ValueError(f"its {name} is not this run's")
        for name, optimizer in self._optimizers().items():
            require_optimizer_tensors(optimizer, parts[name])

    def _modules(self) -> dict[str, nn.Module]:
        adapters: dict[str, nn.Module] = {f"adapter-{name}": module for name, module in self._adapters().items()}
        return {"student": self.student, **adapters, **({"peer": self.peer.network} if self.peer else {})}

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"optimizer": self.optimizer, **({"peer-optimizer": self.peer.optimizer} if self.peer else {})}


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in tensors.items()}


def _silent(step: int, steps: int) -> None:
    return
