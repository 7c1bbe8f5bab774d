"""What every method of the table promises, a new one too.

A line of the table is all that these tests need: features of the kind that it names are in test_method_inputs.
"""

import importlib
import math

import pytest
import torch
from test_method_inputs import distance, hyperparameters, mapped, outputs, pair, shapes, value_and_gradient
from torch.func import grad_and_value, vmap

from kd_trainable.methods import METHODS
from kd_trainable.vocabulary import Outputs

BATCH_DEPENDENT = ("sp", "rkd", "pkt", "l2_root")
WITH_FEATURES = [name for name in METHODS if METHODS[name].taps]
PACKABLE = [name for name in METHODS if METHODS[name].packable]


def docstring(name):
    """Of the method's file, in one line."""
    return " ".join(importlib.import_module(METHODS[name].target.partition(":")[0]).__doc__.split())


@pytest.fixture
def no_fallback():
    """Any operation without a batching rule raises, where it would else run students one by one with a warning."""
    torch._C._functorch._set_vmap_fallback_enabled(False)
    yield
    torch._C._functorch._set_vmap_fallback_enabled(True)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_where_it_comes_from_and_where_its_weight_does(name):
    said = docstring(name)
    assert "Default weight" in said
    assert "arXiv:" in said or "cites no paper" in said
    assert "differs" in said or "there adds" in said


@pytest.mark.parametrize("name", METHODS)
def test_a_method_tells_student_from_teacher_with_one_float32_number(name):
    value = distance(name, *pair(name))
    assert value.shape == ()
    assert value.dtype == torch.float32
    assert value > 1e-5


@pytest.mark.parametrize("name", METHODS)
def test_a_student_that_agrees_costs_nothing_and_is_left_alone(name):
    teacher = pair(name)[1]
    value, gradients = value_and_gradient(name, mapped(torch.clone, teacher), teacher)
    assert value.item() == pytest.approx(0, abs=1e-5)
    for gradient in gradients:
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-6)


@pytest.mark.parametrize("agreeing", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_features_that_are_all_zero_give_finite_gradients(name, agreeing):
    student, teacher = pair(name)
    value, gradients = value_and_gradient(
        name, mapped(torch.zeros_like, student), mapped(torch.zeros_like, teacher) if agreeing else teacher
    )
    assert value.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("name", METHODS)
def test_one_dead_image_among_others_gives_finite_gradients(name):
    student, teacher = pair(name)
    alive = torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0, 1.0])  # two, so that a pair of them coincides
    dead = mapped(lambda of: of * alive.reshape(-1, *[1] * (of.ndim - 1)), student)
    value, gradients = value_and_gradient(name, dead, teacher)
    assert value.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("name", METHODS)
def test_half_precision_is_computed_in_float32_and_stays_finite(name, scale, dtype):
    student, teacher = (mapped(lambda value: value.to(dtype), of) for of in pair(name, scale))
    value, gradients = value_and_gradient(name, student, teacher)
    assert value.dtype == torch.float32
    assert torch.equal(value, distance(name, *(mapped(torch.Tensor.float, of) for of in (student, teacher))))
    assert value.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("name", METHODS)
def test_the_last_batch_may_hold_a_single_image(name):
    one = [mapped(lambda value: value[:1], of) for of in pair(name)]
    value, gradients = value_and_gradient(name, *one)
    assert value.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("name", METHODS)
def test_a_step_down_the_gradient_brings_the_student_nearer(name):
    student, teacher = pair(name)
    value, gradients = value_and_gradient(name, student, teacher)
    size = sum(gradient.square().sum() for gradient in gradients)
    step = iter([-1e-3 * value / size * gradient for gradient in gradients])
    nearer = mapped(lambda of: of + next(step), student)
    assert distance(name, nearer, teacher).item() == pytest.approx((1 - 1e-3) * value.item(), rel=2e-4)


@pytest.mark.parametrize("name", PACKABLE)
@pytest.mark.usefixtures("no_fallback")
def test_distances_of_a_pack_equal_those_in_a_loop(name):
    """Three students, each with hyperparameters of its own, one teacher."""
    ours, theirs = shapes(name)
    students, teacher = outputs(ours, 300, stack=(3,)), outputs(theirs, 200)
    own = {key: value for key, value in hyperparameters(name).items() if key != "modes"}
    stacked = {key: torch.tensor([value, 1.5 * value, 3.0]) for key, value in own.items()}

    def of_one(student, given):
        return distance(name, student, teacher, {**hyperparameters(name), **given})

    gradients, values = vmap(grad_and_value(of_one))(students, stacked)
    for s in range(3):
        alone = grad_and_value(of_one)(
            mapped(lambda of, s=s: of[s], students), {key: value[s].item() for key, value in stacked.items()}
        )
        torch.testing.assert_close(values[s], alone[1], rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(mapped(lambda of, s=s: of[s], gradients), alone[0], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", METHODS)
def test_order_of_the_images_does_not_matter(name):
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    shuffled = [mapped(lambda of: of[order], of) for of in pair(name)]
    assert distance(name, *shuffled).item() == pytest.approx(distance(name, *pair(name)).item(), rel=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_only_methods_that_say_so_depend_on_who_else_is_in_the_batch(name):
    """The mean over halves of a batch is that of the whole, but for those whose batch size is part of what they are."""
    student, teacher = pair(name)
    halves = [
        distance(name, mapped(lambda of, h=half: of[h], student), mapped(lambda of, h=half: of[h], teacher)).item()
        for half in (slice(0, 3), slice(3, 6))
    ]
    whole = distance(name, student, teacher).item()
    assert (sum(halves) / 2 != pytest.approx(whole, rel=1e-3)) == (name in BATCH_DEPENDENT)
    said = docstring(name)
    assert ("batch size" in said and "part of what" in said) == (name in BATCH_DEPENDENT)


@pytest.mark.parametrize("name", WITH_FEATURES)
def test_a_method_of_features_sums_over_the_taps_that_it_is_given(name):
    """Twice the same tap is twice the distance; under ofd the earlier one weighs half."""
    student, teacher = pair(name)
    tap = next(iter(student.features))
    once = [Outputs(of.logits, {tap: of.features[tap]}) for of in (student, teacher)]
    twice = [Outputs(of.logits, {"a": of.features[tap], "b": of.features[tap]}) for of in (student, teacher)]
    times = 1.5 if name == "ofd" else 2.0
    assert distance(name, *twice).item() == pytest.approx(times * distance(name, *once).item(), rel=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_every_default_is_a_number_that_a_spec_can_hold(name):
    assert all(isinstance(value, float) and math.isfinite(value) for value in METHODS[name].hyperparameters.values())
    assert METHODS[name].hyperparameters.get("weight", 1.0) > 0
    assert METHODS[name].train_mode in ("", *METHODS[name].hyperparameters)
