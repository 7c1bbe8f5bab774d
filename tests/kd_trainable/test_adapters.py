"""The parameters that a method trains beside the student's: what fits, what is refused, and that they learn."""

import math

import pytest
import torch
from scipy import stats
from test_method_inputs import BATCH, KINDS, NO_BATCH, drawn, fits, hyperparameters, outputs
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from kd_trainable.engine.distances import resolve_method
from kd_trainable.methods import METHODS, fitnets, ofd
from kd_trainable.resolve import resolve
from kd_trainable.vocabulary import Fit, InputError, Outputs

ADAPTED = [name for name in METHODS if METHODS[name].adapter]


@pytest.fixture
def no_fallback():
    """Any operation without a batching rule raises, where it would else run students one by one with a warning."""
    torch._C._functorch._set_vmap_fallback_enabled(False)
    yield
    torch._C._functorch._set_vmap_fallback_enabled(True)


def made(name, of=None):
    make = resolve("method", METHODS[name].adapter, {}, "a callable adapter(fits, hyperparameters)")
    torch.manual_seed(0)
    return make(of or fits(name), hyperparameters(name))


def pair(name, **given):
    ours, theirs = KINDS[METHODS[name].taps]
    return outputs(ours, 100, **given), outputs(theirs, 200)


def distance(name, adapter, student, teacher):
    ours, theirs = adapter(student.features, teacher.features)
    found = Outputs(student.logits, ours), Outputs(teacher.logits, theirs)
    return resolve_method(name)(*found, NO_BATCH, hyperparameters=hyperparameters(name))


@pytest.mark.parametrize("name", ADAPTED)
def test_every_parameter_of_an_adapter_learns_and_so_does_the_student(name):
    adapter, (student, teacher) = made(name), pair(name)
    for value in student.features.values():
        value.requires_grad_()
    distance(name, adapter, student, teacher).backward()
    # a bias before batch norm is taken away again: its gradient is rounding
    trained = [value for key, value in adapter.named_parameters() if not (value.ndim == 1 and key.endswith("0.bias"))]
    assert len(trained) >= 3
    assert all(value.grad.isfinite().all() and value.grad.abs().max() > 1e-6 for value in trained)
    assert all(value.grad.any() for value in student.features.values())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ADAPTED)
def test_an_adapter_takes_half_precision_features_and_gives_float32(name, dtype):
    adapter, (student, teacher) = made(name), pair(name)
    halves = [
        Outputs(of.logits, {tap: value.to(dtype) for tap, value in of.features.items()}) for of in (student, teacher)
    ]
    value = distance(name, adapter, *halves)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(distance(name, adapter, student, teacher).item(), rel=0.05)


@pytest.mark.parametrize("name", ADAPTED)
def test_an_adapter_keeps_the_names_and_the_order_of_its_taps(name):
    adapter, (student, teacher) = made(name), pair(name)
    reversed_ones = ({tap: of.features[tap] for tap in reversed(of.features)} for of in (student, teacher))
    ours, theirs = adapter(*reversed_ones)
    assert list(ours) == [fit.tap for fit in fits(name)]
    assert ours.keys() == theirs.keys()
    assert all(ours[tap].shape == theirs[tap].shape for tap in ours)


@pytest.mark.parametrize("name", ADAPTED)
def test_a_tap_may_have_dots_in_its_path(name):
    adapter = made(name, [fit._replace(tap=f"layer.{fit.tap}.1/input") for fit in fits(name)])
    assert all("/" not in key for key in adapter.state_dict())


@pytest.mark.usefixtures("no_fallback")
@pytest.mark.parametrize("name", ADAPTED)
def test_adapters_of_a_pack_equal_those_in_a_loop(name):
    """Three students with adapters of their own, in training, the running statistics of their batch norm included."""
    adapters = [made(name) for _ in range(3)]
    for s, adapter in enumerate(adapters):
        with torch.no_grad():
            for i, parameter in enumerate(adapter.parameters()):
                parameter.add_(0.1 * drawn(1000 * s + i, *parameter.shape))
    parameters, buffers = stack_module_state(adapters)
    students, teacher = pair(name, stack=(3,))

    def of_one(own, kept, student):
        ours, theirs = functional_call(adapters[0], (own, kept), (student.features, teacher.features))
        found = Outputs(student.logits, ours), Outputs(teacher.logits, theirs)
        return resolve_method(name)(*found, NO_BATCH, hyperparameters=hyperparameters(name))

    kept = {key: value.clone() for key, value in buffers.items()}
    gradients, values = vmap(grad_and_value(of_one))(parameters, kept, students)
    for s in range(3):
        student = Outputs(students.logits[s], {tap: value[s] for tap, value in students.features.items()})
        value = distance(name, adapters[s], student, teacher)
        value.backward()
        torch.testing.assert_close(values[s], value.detach(), rtol=1e-5, atol=1e-7)
        for key, parameter in adapters[s].named_parameters():
            torch.testing.assert_close(gradients[key][s], parameter.grad, rtol=1e-3, atol=1e-5)
        for key, buffer in adapters[s].named_buffers():
            torch.testing.assert_close(kept[key][s], buffer)


FITTING = [
    ((3, 8, 8), (5, 8, 8), (1, 1)),
    ((3, 8, 8), (5, 4, 4), (3, 3)),
    ((3, 4, 4), (5, 8, 8), (4, 4)),
    ((3, 7, 7), (5, 4, 4), (4, 4)),
    ((3, 8, 6), (5, 4, 3), (3, 3)),
    ((3, 8, 4), (5, 4, 4), (5, 1)),
    ((3, 2, 2), (5, 1, 1), (3, 3)),
]


@pytest.mark.parametrize(("ours", "theirs", "kernel"), FITTING)
def test_a_regressor_brings_the_students_map_to_the_teachers_size(ours, theirs, kernel):
    adapter = fitnets.adapter([Fit("m", ours, theirs)], {})
    assert adapter.regressors[0][0].kernel_size == kernel
    student, _ = adapter({"m": drawn(1, BATCH, *ours)}, {"m": drawn(2, BATCH, *theirs)})
    assert student["m"].shape == (BATCH, *theirs)
    assert (student["m"] >= 0).all()


REFUSED = [
    (fitnets, Fit("s2", (3, 4, 4), (5, 7, 7)), r"s2, the student's \[3, 4, 4\] and the teacher's \[5, 7, 7\]; .* half"),
    (fitnets, Fit("s2", (3, 4, 4), (5, 5, 5)), r"the student's \[3, 4, 4\] and the teacher's \[5, 5, 5\]"),
    (fitnets, Fit("s2", (3, 4, 8), (5, 8, 8)), r"the student's \[3, 4, 8\] and the teacher's \[5, 8, 8\]"),
    (fitnets, Fit("s2", (3, 4, 4), (5, 16, 16)), r"the student's \[3, 4, 4\] and the teacher's \[5, 16, 16\]"),
    (fitnets, Fit("s2", (84,), (5, 4, 4)), r"the student's \[84\] and the teacher's \[5, 4, 4\]; must be feature maps"),
    (
        ofd,
        Fit("s2", (3, 8, 8), (5, 4, 4), torch.nn.BatchNorm2d(5)),
        r"s2, the student's \[3, 8, 8\] and the .* \[5, 4, 4\]",
    ),
    (
        ofd,
        Fit("s2", (3, 4, 4), (5, 8, 8), torch.nn.BatchNorm2d(5)),
        r"the student's \[3, 4, 4\] and the .* \[5, 8, 8\]",
    ),
    (ofd, Fit("s2", (84,), (128,), torch.nn.BatchNorm2d(128)), r"the student's \[84\] and the teacher's \[128\]"),
    (
        ofd,
        Fit("s2", (3, 4, 4), (5, 4, 4)),
        r"for s2, not none; must be an affine BatchNorm2d of 5 channels, named as STUDENT:TEACHER:NORM",
    ),
    (
        ofd,
        Fit("s2", (3, 4, 4), (5, 4, 4), torch.nn.BatchNorm2d(6)),
        r"not BatchNorm2d\(6, .*; must be an affine BatchNorm2d of 5 channels",
    ),
    (
        ofd,
        Fit("s2", (3, 4, 4), (5, 4, 4), torch.nn.BatchNorm2d(5, affine=False)),
        r"affine=False.*; must be an affine BatchNorm2d",
    ),
    (
        ofd,
        Fit("s2", (3, 4, 4), (5, 4, 4), torch.nn.ReLU()),
        r"not ReLU\(\); must be an affine BatchNorm2d of 5 channels",
    ),
]


@pytest.mark.parametrize(("method", "fit", "said"), REFUSED)
def test_features_that_cannot_be_matched_are_refused_in_one_line(method, fit, said):
    with pytest.raises(InputError, match=f"^taps: .*{said}") as refused:
        method.adapter([fit], {})
    assert "\n" not in str(refused.value)


def test_a_connector_starts_as_he_et_al_start_a_layer():
    """Standard deviation sqrt(2 / out channels), no bias; batch norm at 1 and 0."""
    norm = torch.nn.BatchNorm2d(256)
    torch.manual_seed(0)
    connector = ofd.adapter([Fit("r", (512, 2, 2), (256, 2, 2), norm)], {}).stages[0]
    assert connector.convolution.bias is None
    assert connector.convolution.weight.std().item() == pytest.approx(math.sqrt(2 / 256), rel=0.02)
    assert connector.norm.weight.unique().tolist() == [1.0]
    assert connector.norm.bias.unique().tolist() == [0.0]


def test_margins_are_the_expected_value_of_a_negative_response():
    """A truncated normal's mean, by scipy; -3 sd where less than one in 1,000 is negative, as in the authors' code."""
    norm = torch.nn.BatchNorm2d(4)
    mean, sd = [0.5, -1.0, 0.0, 3.2], [0.3, 2.0, 1.0, 1.0]
    norm.load_state_dict({"weight": torch.tensor([sd[0], -sd[1], *sd[2:]]), "bias": torch.tensor(mean)}, strict=False)
    expected = [stats.truncnorm.mean(-math.inf, -m / s, m, s) for m, s in zip(mean[:3], sd[:3], strict=True)]
    assert ofd.margins(norm).tolist() == pytest.approx([*expected, -3.0], rel=1e-5)


def test_a_channel_whose_scale_is_0_has_a_margin_too():
    """Batch norms that start at 0 are an option: the response is the shift, always."""
    norm = torch.nn.BatchNorm2d(3)
    norm.load_state_dict({"weight": torch.zeros(3), "bias": torch.tensor([-0.5, 0.0, 0.5])}, strict=False)
    assert ofd.margins(norm).tolist() == pytest.approx([-0.5, 0.0, 0.0], abs=1e-9)


def test_margins_travel_with_the_adapters_state_but_are_not_trained():
    adapter = made("ofd")
    assert [key for key in adapter.state_dict() if "margins" in key] == ["stages.0.margins", "stages.1.margins"]
    assert not any("margins" in key for key, _ in adapter.named_parameters())


@pytest.mark.parametrize(
    ("student", "teacher", "cost"),
    [
        (2.0, 3.0, 1.0),  # the teacher fires: the squared difference, from either side
        (4.0, 3.0, 1.0),
        (-1.0, -0.2, 0.0),  # it does not: only a student above it is pulled down
        (0.3, -0.2, 0.25),
        (0.3, -9.0, 0.64),  # and no further than the margin, here -0.5
        (-0.7, -9.0, 0.0),
    ],
)
def test_a_student_pays_only_where_a_relu_would_show_it(student, teacher, cost):
    target = torch.full((2, 1, 1, 1), teacher).clamp(min=-0.5)
    found = Outputs(drawn(1, 2, 5), {"r": torch.full((2, 1, 1, 1), student)}), Outputs(drawn(2, 2, 5), {"r": target})
    assert ofd.loss(*found, NO_BATCH, hyperparameters={}).item() == pytest.approx(cost)
