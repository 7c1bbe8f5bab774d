"""A run as a whole: what it logs, when a schedule takes effect, when it ends, and how its numbers may end it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import pytest
import tiny
import torch
import torch.nn.functional as F
from torch import Tensor

from kd_trainable import rules
from kd_trainable.engine import checkpoint, plain, process
from kd_trainable.engine.distances import teacher_entropy
from kd_trainable.engine.evaluate import evaluate
from kd_trainable.engine.optim import out_of_patience
from kd_trainable.engine.plain import NumbersError, PlainRun
from kd_trainable.methods import METHODS
from kd_trainable.records import EPOCH_COLUMNS
from kd_trainable.terms import softened
from kd_trainable.vocabulary import Batch, InputError, Outputs


def test_soft_cross_entropy_is_logged_as_kl() -> None:
    """The two have one gradient, so the runs are one; what is minimised differs by the teacher's entropy."""
    kl, cse = (tiny.trained(tiny.spec(mode=mode, temperature=2, alpha=0.5)) for mode in ("kl", "cse"))
    for epoch, (ours, theirs) in enumerate(zip(cse.history, kl.history, strict=True)):
        assert ours["soft_loss"] == pytest.approx(theirs["soft_loss"], abs=1e-4)
        entropy = float(teacher_entropy(tiny.targets(cse.inputs)(epoch), 2.0))
        assert entropy > 0.3
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"] + 0.5 * 4 * entropy, abs=1e-3)


@pytest.mark.parametrize("field", ["alpha", "temperature"])
def test_a_schedule_takes_effect_at_its_epoch(field: str) -> None:
    values = {"alpha": (0.2, 0.9), "temperature": (1.0, 8.0)}[field]
    changing = tiny.trained(tiny.spec(**{field: [[0, values[0]], [2, values[1]]]}), 2)
    before = tiny.trained(tiny.spec(**{field: values[0]}), 2)
    tiny.assert_same(changing, before)
    after = tiny.run_of(tiny.spec(**{field: values[1]}))
    after.load(*checkpoint.decode(checkpoint.encode(changing, {}))[:2])
    for run in (changing, before, after):
        run.step_epoch()
    tiny.assert_same(changing, after)
    assert tiny.rows(changing) != tiny.rows(before)


@pytest.mark.parametrize("mode", rules.MODES)
def test_every_mode_teaches(mode: str) -> None:
    """With no weight on the labels at all, the student learns them from the teacher."""
    spec = tiny.spec(mode=mode, alpha=1.0, temperature=2, epochs=8, convention="hinton", lr=0.2)
    assert tiny.trained(spec).history[-1]["test_accuracy"] > 0.8


def test_bf16_trains_and_keeps_its_weights_in_float32() -> None:
    exact, rounded = (tiny.trained(tiny.spec(student="tiny:conv", precision=p, epochs=6)) for p in ("float32", "bf16"))
    assert rounded.history[-1]["train_loss"] < 0.7 * rounded.history[0]["train_loss"]
    assert rounded.history[-1]["train_loss"] == pytest.approx(exact.history[-1]["train_loss"], rel=0.2)
    assert tiny.rows(rounded) != tiny.rows(exact)
    assert {v.dtype for v in rounded.student.parameters()} == {torch.float32}


def test_own_method_is_given_its_hyperparameters() -> None:
    one, two = (
        tiny.trained(tiny.spec(method="tiny:own_loss", hyperparameters={"power": power}, alpha=1.0), 1)
        for power in (1, 2)
    )
    assert one.history[0]["soft_loss"] > 0
    assert tiny.rows(one) != tiny.rows(two)


def test_a_method_is_given_float32_whatever_the_logits_were_kept_and_computed_in() -> None:
    spec = tiny.spec(method="test_engine:sees_float32", precision="bf16", epochs=1)
    given = tiny.inputs()
    run = PlainRun(spec, given, lambda epoch: tiny.targets(given)(epoch).half())
    assert run.step_epoch()["soft_loss"] > 0


def sees_float32(student: Outputs, teacher: Outputs, batch: Batch, *, hyperparameters: Mapping[str, Any]) -> Tensor:
    assert student.logits.dtype == teacher.logits.dtype == torch.float32
    assert (student.logits.requires_grad, teacher.logits.requires_grad) == (True, False)
    return (student.logits - teacher.logits).square().mean()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module:loss", "cannot import 'no_such_module'"),
        ("tiny:absent", "module 'tiny' has no 'absent'"),
        ("tiny:CLASSES", "is int, not callable"),
    ],
)
def test_own_method_that_leads_nowhere_gets_one_clear_line(name: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        tiny.run_of(tiny.spec(method=name))
    line = str(caught.value)
    assert line.startswith(f"method: {name!r}")
    assert said in line
    assert "; allowed: a callable loss(student, teacher, batch, *, hyperparameters), as package.module:call" in line
    assert "\n" not in line


def test_baseline_and_distilled_student_start_from_equal_weights() -> None:
    distilled, baseline = (
        tiny.run_of(tiny.spec(student="tiny:conv")),
        tiny.run_of(tiny.spec(student="tiny:conv", method="none")),
    )
    pairs = zip(distilled.student.parameters(), baseline.student.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    other = tiny.run_of(tiny.spec(student="tiny:conv", method="none", seed=1))
    assert not torch.equal(next(other.student.parameters()), next(baseline.student.parameters()))


def test_making_a_student_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    tiny.run_of(tiny.spec())
    assert torch.equal(torch.rand(3), expected)


def test_a_row_has_every_column_of_an_epoch() -> None:
    run = tiny.run_of(tiny.spec(epochs=1))
    heard: list[tuple[int, int]] = []
    row = run.step_epoch(lambda step, steps: heard.append((step, steps)))
    of_others = {f"{name}_loss" for name in METHODS if not softened(name)} | {"peer_test_accuracy", "teacher_agreement"}
    assert {"spec_id", *row} | of_others == {column.name for column in EPOCH_COLUMNS}
    assert not row.keys() & of_others
    assert heard == [(step, 6) for step in range(1, 7)]  # 180 images in batches of 32
    assert row["epoch"] == 1
    assert 0 <= row["validation_accuracy"] <= 1
    assert row["images_per_second"] > 0


def test_the_pace_is_of_work_that_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU is waited for before the clock is read, at the beginning of the epoch's training and at its end."""
    run, seen = tiny.run_of(tiny.spec(epochs=1)), []
    clock = itertools.count(1.0)
    monkeypatch.setattr(plain, "synchronize", lambda device: seen.append("done"))
    monkeypatch.setattr(plain.time, "perf_counter", lambda: seen.append("clock") or next(clock))
    run.step_epoch(lambda step, steps: seen.append("step"))
    drawing = ["clock", "clock"]  # of the epoch's looks, on the CPU
    assert seen == [*drawing, "done", "clock", *["step"] * 6, "done", "clock", "clock"]


def test_a_gpu_is_waited_for_and_its_memory_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: asked.append("synchronize"))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: asked.append("empty_cache"))
    for device in ("cpu", "cuda"):
        process.synchronize(torch.device(device))
        process.free_cache(device)
    assert asked == ["synchronize", "empty_cache"]


def test_a_baseline_has_no_soft_loss_and_needs_no_teacher() -> None:
    row = tiny.trained(tiny.spec(method="none"), 1).history[0]
    assert math.isnan(row["soft_loss"])
    assert row["train_loss"] == row["hard_loss"]
    with pytest.raises(ValueError, match="needs the teacher's logits"):
        PlainRun(tiny.spec(), tiny.inputs())


def test_published_protocol_trains_on_all_images_and_validates_on_none() -> None:
    run = tiny.trained(tiny.spec(protocol="published"), 1, protocol="published")
    assert len(run.inputs.train) == 200
    assert math.isnan(run.history[0]["validation_accuracy"])
    assert 0 <= run.history[0]["test_accuracy"] <= 1


def test_a_score_is_that_of_the_whole_split_at_once() -> None:
    """Evaluation goes in batches, in eval mode, and leaves the network's running statistics alone."""
    inputs = tiny.inputs(train=4000)
    torch.manual_seed(0)
    network = tiny.conv(4, 1).train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    score = evaluate(network, inputs, "validation")
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    pixels, labels = inputs.as_input(inputs.images[inputs.validation]), inputs.labels[inputs.validation]
    assert len(labels) == 400
    with torch.no_grad():
        logits = network.eval()(pixels)
    assert score.loss == pytest.approx(float(F.cross_entropy(logits, labels)), rel=1e-5)
    assert score.accuracy == pytest.approx(float((logits.argmax(1) == labels).double().mean()))


@pytest.mark.parametrize(
    ("accuracies", "patience", "ends"),
    [
        ([0.5, 0.4, 0.4], 0, False),
        ([0.5], 1, False),
        ([0.5, 0.5], 1, True),
        ([0.5, 0.6], 1, False),
        ([0.5, 0.4, 0.6], 2, False),
        ([0.5, 0.4, 0.5], 2, True),
        ([0.5, 0.6, 0.4, 0.5], 3, False),
    ],
)
def test_patience(accuracies: list[float], patience: int, ends: bool) -> None:
    history = [{"validation_accuracy": a} for a in accuracies]
    assert out_of_patience(tiny.spec(patience=patience), history) is ends


def test_early_stopping_ends_a_run_that_no_longer_improves() -> None:
    run = tiny.run_of(tiny.spec(lr=1e-12, patience=2, epochs=9))
    while not run.done:
        run.step_epoch()
    assert len(run.history) == 3


def test_a_run_is_done_at_its_budget() -> None:
    run = tiny.run_of(tiny.spec(epochs=2))
    assert not run.done
    run.step_epoch()
    assert not run.done
    run.step_epoch()
    assert run.done


def test_numbers_that_diverge_end_the_run_and_name_the_epoch() -> None:
    run = tiny.run_of(tiny.spec(lr=1e25, schedule="constant", epochs=2))
    with pytest.raises(NumbersError, match=r"the loss became (nan|inf) in epoch 1"):
        run.step_epoch()
    assert run.history == []


def test_numbers_that_diverge_in_the_very_last_step_end_the_run_too() -> None:
    run = tiny.run_of(tiny.spec(lr=1e30, schedule="constant", epochs=1, batch_size=180))
    with pytest.raises(NumbersError, match=r"the loss became (nan|inf) at the end of epoch 1"):
        run.step_epoch()
