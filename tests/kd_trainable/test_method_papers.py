"""What the papers promise of their methods: what a student may change at no cost, and whom the gradient teaches."""

import pytest
import torch
from test_method_inputs import BATCH, CLASSES, distance, drawn, hyperparameters, mapped, pair, value_and_gradient

from kd_trainable.methods import rkd
from kd_trainable.vocabulary import InputError, Outputs


def embeddings(size=32):
    return Outputs(drawn(1, BATCH, CLASSES), {"e": drawn(400, BATCH, size)}), Outputs(
        drawn(2, BATCH, CLASSES), {"e": drawn(401, BATCH, size)}
    )


@pytest.mark.parametrize("name", ["rkd", "pkt", "sp"])
def test_turning_the_students_embedding_changes_nothing(name):
    student, teacher = embeddings()
    turn = torch.linalg.qr(drawn(402, 32, 32).double())[0].float()
    turned = Outputs(student.logits, {"e": student.features["e"] @ turn})
    assert distance(name, turned, teacher).item() == pytest.approx(distance(name, student, teacher).item(), rel=1e-4)
    crooked = Outputs(student.logits, {"e": student.features["e"] * torch.linspace(0.1, 3, 32)})
    assert distance(name, crooked, teacher).item() != pytest.approx(distance(name, student, teacher).item(), rel=1e-2)


@pytest.mark.parametrize("name", ["rkd", "pkt", "sp", "at", "at_paper"])
def test_the_size_of_a_students_features_changes_nothing(name):
    student, teacher = pair(name)
    larger = mapped(lambda of: 1000 * of, student)
    assert distance(name, larger, teacher).item() == pytest.approx(distance(name, student, teacher).item(), rel=1e-4)


def test_moving_the_students_embedding_changes_nothing_of_rkd():
    student, teacher = embeddings()
    moved = Outputs(student.logits, {"e": student.features["e"] + 3})
    assert distance("rkd", moved, teacher).item() == pytest.approx(distance("rkd", student, teacher).item(), rel=1e-4)


def test_rkd_sees_that_two_embeddings_are_near_though_both_are_far_from_0():
    """Ten apart at 1000: Gram matrices of float32 have 4 digits of that, differences all of them."""
    near = 1000 + 10 * drawn(500, 3, 512)
    exact = (near.double()[:, None] - near.double()[None]).norm(dim=-1)
    assert torch.allclose(rkd._geometry(near)[0].double(), exact, rtol=1e-6, atol=0)


def test_rkd_does_not_tear_apart_two_images_that_coincide():
    """Nothing says in which direction: the gradient stays as large as it was, and is not 1e6 times that."""
    student, teacher = pair("rkd")
    coinciding = mapped(lambda of: torch.cat([of[:1], of[:1], of[2:]]), student)
    usual, there = (value_and_gradient("rkd", of, teacher)[1][1].abs().max() for of in (student, coinciding))
    assert there < 10 * usual


def test_pkt_takes_embeddings_that_point_in_opposite_ways():
    """Their similarity is 0; rounding makes it negative for some of these, and its logarithm NaN."""
    for seed in range(200):
        one = drawn(seed, 1, 4096)
        student = Outputs(drawn(1, 2, CLASSES), {"e": torch.cat([one, -1.3 * one])})
        value, gradients = value_and_gradient("pkt", student, Outputs(student.logits, {"e": drawn(seed + 1, 2, 8)}))
        assert value.isfinite()
        assert gradients[1].isfinite().all()


@pytest.mark.parametrize("name", ["at", "at_paper"])
def test_attention_is_never_taught_to_the_teacher(name):
    student, teacher = (mapped(lambda of: of.clone().requires_grad_(), of) for of in pair(name))
    distance(name, student, teacher).backward()
    assert all(value.grad is not None and value.grad.any() for value in student.features.values())
    assert all(value.grad is None for value in teacher.features.values())


@pytest.mark.parametrize("name", ["at", "at_paper"])
def test_attention_to_what_is_no_map_is_refused_in_one_line(name):
    student, teacher = (Outputs(of.logits, {"head.pool": of.features["e"]}) for of in embeddings())
    said = r"^taps: head.pool gives features of shape \[32\]; attention needs maps \[C, H, W\]$"
    with pytest.raises(InputError, match=said):
        distance(name, student, teacher)


@pytest.mark.parametrize("p", [0.5, 1.0, 3.0])
def test_attention_of_any_power_has_finite_gradients_where_features_are_zero(p):
    student, teacher = pair("at")
    dead = mapped(lambda of: of.clamp(min=0), student)
    gradient = torch.func.grad(lambda of: distance("at", of, teacher, hyperparameters("at", p=p)))(dead)
    assert all(value.isfinite().all() and value.any() for value in gradient.features.values())
