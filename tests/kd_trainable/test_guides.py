"""A teacher that runs live, a second student, adapters: what a run with them computes, keeps and leaves alone."""

from __future__ import annotations

from typing import Any

import pytest
import tiny
import torch
from torch import Tensor, nn

from kd_trainable.data.pixels import Looks
from kd_trainable.engine import checkpoint
from kd_trainable.engine.features import outputs
from kd_trainable.engine.guides import LiveTeacher
from kd_trainable.engine.plain import PlainRun
from kd_trainable.methods import METHODS
from kd_trainable.methods.controls import CONTROLS, controlled
from kd_trainable.spec import RunSpec
from kd_trainable.teacher import arrays_of, fingerprint
from kd_trainable.vocabulary import InputError

TAPS = ["2", "5"]
LIVE: dict[str, Any] = {"student": "tiny:conv_without_dropout", "teacher": "tiny:conv", "taps": TAPS, "lr": 0.02}
COLOUR: dict[str, Any] = {"dataset": "digits", "epochs": 2, "batch_size": 15, "lr": 0.01}


def kept_of(teacher: nn.Module, of: Any, spec: RunSpec) -> Any:
    """epoch -> the teacher's logits for the very pixels of that epoch."""

    @torch.no_grad()
    def at(epoch: int) -> Tensor:
        looks = Looks.of(spec.seed, epoch, of, spec.pixels)
        logits = teacher(of.training_pixels(torch.arange(len(of.train)), looks))
        return controlled(logits, spec.control, spec.seed)

    return at


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("tricks", [{}, {"mixup": 0.4, "random_erasing": 0.5, "cutout": 3, "augment": "crop4+flip"}])
def test_a_live_teacher_teaches_what_its_kept_logits_do(control: str, tricks: dict[str, Any]) -> None:
    """The same teacher twice: by its logits alone, and live beside a feature term that weighs nothing."""
    spec = tiny.spec(**LIVE, control=control, epochs=2, **tricks)
    live = tiny.spec(**LIVE, control=control, epochs=2, method="kd+at", hyperparameters={"at.weight": 0}, **tricks)
    teacher, given = tiny.network("tiny:conv"), tiny.inputs()
    one = PlainRun(spec, given, kept_of(teacher, given, spec))
    other = PlainRun(live, given, teacher=LiveTeacher(teacher, given))
    for run in (one, other):
        for _ in range(2):
            run.step_epoch()
    for name, value in one.student.state_dict().items():
        torch.testing.assert_close(other.student.state_dict()[name], value, atol=1e-4, rtol=1e-3)
    assert other.history[-1]["soft_loss"] == pytest.approx(one.history[-1]["soft_loss"], rel=1e-3)
    assert other.history[-1]["at_loss"] > 0


def test_features_are_compared_on_the_pixels_that_the_student_sees() -> None:
    """A student that is its own teacher, image by image, is nowhere from it; under a shuffled one it is."""
    fields = {**LIVE, "student": "tiny:conv_without_dropout", "teacher": "tiny:conv_without_dropout", "lr": 1e-12}
    for control, least, most in (("none", 0.0, 1e-9), ("shuffled-teacher", 1e-6, 1.0)):
        spec = tiny.spec(**fields, method="at", augment="crop4+flip", control=control, epochs=1)
        given = tiny.inputs()
        student = PlainRun(tiny.spec(**{**fields, "method": "none"}), given).student
        teacher = student.train()  # batch norm with the batch's statistics, as the student has it
        row = PlainRun(spec, given, teacher=LiveTeacher(teacher, given)).step_epoch()
        assert least <= row["at_loss"] <= most, control


@pytest.mark.parametrize("method", ["fitnets", "kd+at", "ofd", "dml", "kd+dml", "pkt"])
def test_resumed_equals_uninterrupted(method: str) -> None:
    """Adapters and the second student are part of what is kept."""
    taps = {"ofd": ["ofd=1:1:1"], "fitnets": ["2"], "pkt": ["9"]}.get(method, TAPS)
    spec = tiny.spec(**{**LIVE, "taps": taps, "student": "tiny:conv"}, method=method, augment="crop4+flip")
    first = tiny.trained(spec, 1)
    second = tiny.run_of(spec)
    second.load(*checkpoint.decode(checkpoint.encode(first, {}))[:2])
    while not second.done:
        second.step_epoch()
    tiny.assert_same(second, tiny.trained(spec))


def test_the_teacher_is_unchanged_even_where_its_batch_norm_follows_the_batches() -> None:
    teacher, given, losses = tiny.network("tiny:conv"), tiny.inputs(), []
    before = fingerprint(arrays_of(teacher.state_dict()))
    for train_mode in (0, 1):
        spec = tiny.spec(**{**LIVE, "taps": ["1:1:1"]}, method="ofd", hyperparameters={"ofd.teacher_train": train_mode})
        losses.append(PlainRun(spec, given, teacher=LiveTeacher(teacher, given)).step_epoch()["ofd_loss"])
        assert fingerprint(arrays_of(teacher.state_dict())) == before
        assert not any(module.training for module in teacher.modules())
    assert losses[0] != losses[1]


def test_an_adapter_trains_and_is_no_part_of_the_student() -> None:
    spec = tiny.spec(**{**LIVE, "taps": ["2"]}, method="fitnets")
    run = tiny.run_of(spec)
    before = {name: value.clone() for name, value in run.tensors().items() if name.startswith("adapter-fitnets.")}
    run.step_epoch()
    assert before
    assert all(not torch.equal(run.tensors()[name], value) for name, value in before.items() if value.ndim > 1)
    assert run.student.state_dict().keys() == tiny.network("tiny:conv_without_dropout").state_dict().keys()


def test_every_method_starts_from_the_same_student() -> None:
    specs = [tiny.spec(**{**LIVE, "taps": ["2"]}, method=method) for method in ("none", "kd", "fitnets", "dml")]
    first, *others = ([*tiny.run_of(spec).student.parameters()] for spec in specs)
    for other in others:
        assert all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_two_students_learn_from_one_another_and_start_apart() -> None:
    spec = tiny.spec(student="tiny:mlp", method="dml", epochs=8, lr=0.2)
    run = tiny.run_of(spec)
    assert run.peer is not None
    assert not torch.equal(run.student[1].weight, run.peer.network[1].weight)
    while not run.done:
        run.step_epoch()
    assert run.history[-1]["test_accuracy"] > 0.8
    assert run.history[-1]["peer_test_accuracy"] > 0.8
    assert run.history[-1]["dml_loss"] < run.history[1]["dml_loss"]
    assert tiny.run_of(tiny.spec(student="tiny:mlp", method="dml", peer="tiny:conv")).peer is not None


def test_alpha_is_the_first_students_and_not_its_peers() -> None:
    """In kd+dml only the first has a teacher: the second learns from the labels whole, whatever alpha is."""
    specs = [tiny.spec(method="kd+dml", alpha=alpha, hyperparameters={"dml.weight": 0}) for alpha in (0.1, 1.0)]
    one, other = (tiny.trained(spec) for spec in specs)
    assert tiny.rows(one) != tiny.rows(other)
    assert one.peer is not None
    assert other.peer is not None
    ours, theirs = one.peer.network.state_dict(), other.peer.network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_without_weight_the_second_student_is_no_teacher() -> None:
    alone = tiny.trained(tiny.spec(method="none"))
    beside = tiny.trained(tiny.spec(method="dml", hyperparameters={"dml.weight": 0}))
    assert [row["hard_loss"] for row in beside.history] == pytest.approx([row["hard_loss"] for row in alone.history])


# Every method x its own taps, on two pairs of architectures.
@pytest.mark.parametrize(("student", "teacher"), [("resnet8", "wrn_16_1"), ("wrn_16_1", "resnet14")])
@pytest.mark.parametrize("method", [*METHODS, "kd+at", "kd+fitnets+rkd"])
def test_every_method_trains(method: str, student: str, teacher: str) -> None:
    given = tiny.inputs(tiny.COLOUR, train=50)
    spec = RunSpec(student=student, teacher=teacher, method=method, augment="crop4+flip", **COLOUR)
    network = tiny.network(teacher, tiny.COLOUR)
    live = LiveTeacher(network, given) if spec.live else None
    run = PlainRun(spec, given, kept_of(network, given, spec), live)
    start = [parameter.clone() for parameter in run.student.parameters()]
    for _ in range(2):
        row = run.step_epoch()
    assert all(not torch.equal(a, b) for a, b in zip(start, run.student.parameters(), strict=True))
    columns = {f"{term}_loss" if term != "kd" else "soft_loss" for term in spec.terms}
    assert all(row[column] >= 0 and row[column] == row[column] for column in columns)


# Taps.


def test_taps_of_one_forward_leave_no_hook() -> None:
    network = tiny.network("tiny:conv")
    pixels = torch.randn(3, 1, 8, 8)
    found = outputs(network, pixels, ["2", "2/input", "9"])
    assert list(found.features) == ["2", "2/input", "9"]
    assert torch.equal(torch.relu(found.features["2/input"]), found.features["2"])
    assert torch.equal(network[10](found.features["9"]), found.logits)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_a_relu_in_place_does_not_overwrite_what_was_tapped() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(72, 4))
    pixels = torch.randn(3, 1, 8, 8)
    found = outputs(network, pixels, ["0", "1/input", "1"]).features
    assert torch.equal(found["0"], network[0](pixels))
    assert torch.equal(found["0"], found["1/input"])
    assert (found["0"] < 0).any()
    assert (found["1"] >= 0).all()


def test_a_tap_that_does_not_exist_is_refused_with_the_nearest() -> None:
    network = tiny.network("resnet8", tiny.COLOUR)
    with pytest.raises(InputError) as caught:
        outputs(network, torch.randn(2, 3, 32, 32), ["stage4"])
    assert str(caught.value).startswith("taps: 'stage4' is no module of the network (did you mean 'stage")
    assert not any(m._forward_hooks for m in network.modules())
