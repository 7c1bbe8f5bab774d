"""The losses: golden numbers from outside this code, limits and identities, and that a pack computes the same.

The literals were worked out once in decimal or float64 arithmetic, from the formula beside them. No test writes them.
"""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.func import grad_and_value, vmap

from kd_trainable.methods import controls, kd
from kd_trainable.methods.hard import hard_loss
from kd_trainable.vocabulary import Batch, InputError, Outputs

LN2, LN3, LN6 = math.log(2), math.log(3), math.log(6)
LABELS = torch.tensor([3, 1, 0])
STUDENT = [[1.5, -0.5, 0.25, 2.0], [0.0, 3.0, -1.0, 0.5], [-2.0, 1.0, 4.0, -0.75]]
TEACHER = [[4.0, -1.5, 0.5, 1.0], [-0.5, 6.0, 0.75, -2.0], [1.25, -3.0, 5.5, 0.0]]

# Two classes at T=2: p = (1/2, 1/2), q = (3/4, 1/4).
#   cse = ln 2; kl = ln 2 - H(q) = 3/4 ln 3 - ln 2; mse = 1/2 x 1/16; logit_mse = 1/2 x (2 ln 3)^2
BY_HAND_2 = {"cse": 0.6931471805599453, "kl": 0.1308120359411369, "mse": 0.03125, "logit_mse": 2.413897921625164}
# Three classes, two images at T=1: p = (1/2, 1/4, 1/4) twice; q = (6, 3, 1)/10, then (1, 1, 1)/3.
#   cse = ((.6 + .4 x 2) + (1 + 2 x 2)/3)/2 x ln 2; kl = cse - (H(.6, .3, .1) + ln 3)/2
#   mse = 1/2 x ((.01 + .0025 + .0225)/3 + (1/36 + 2/144)/3)/2 = 23/3600; logit_mse = ((2 ln 3)^2 + (ln 2)^2)/3/2 with
#   each image's own differences: (ln 3)^2 twice, then (ln 2)^2
BY_HAND_3 = {"cse": 1.06282567685858, "kl": 0.0645466700961380, "mse": 23 / 3600, "logit_mse": 0.482391822590561}
# STUDENT and TEACHER at T=4, in float64 numpy.
#   kl x T^2: HobbitLong/RepDistiller 5237c1f distiller_zoo/KD.py: kl_div(log_softmax(s/T), softmax(t/T)) sum x T^2/B
#   cse, mse: JoonyoungYi/KD-pytorch b78655c trainer.py, before its T^2: -mean(sum(q log p)); MSELoss(p, q) / 2
#   logit_mse: AberHu/Knowledge-Distillation-Zoo e8e298d kd_losses/logits.py: mse_loss(s, t)
PUBLISHED_T4 = {"cse": 1.24572974741006, "kl": 1.66507551793599 / 16, "mse": 0.00651675149174238, "logit_mse": 4.6875}
GOLDEN = {
    "two classes": ([[0.0, 0.0]], [[2 * LN3, 0.0]], 2.0, BY_HAND_2),
    "three classes": ([[LN2, 0.0, 0.0]] * 2, [[LN6, LN3, 0.0], [0.0] * 3], 1.0, BY_HAND_3),
    "public code": (STUDENT, TEACHER, 4.0, PUBLISHED_T4),
}


def mixture(student, teacher, temperature, modes):
    """The method called as the engine calls it."""
    batch = Batch(torch.zeros(len(student), dtype=torch.int64), torch.arange(len(student)))
    hyperparameters = {"temperature": temperature, "modes": modes}
    return kd.loss(Outputs(student), Outputs(teacher), batch, hyperparameters=hyperparameters)


def distance(mode, student, teacher, temperature):
    return mixture(student, teacher, temperature, {mode: 1.0})


def value_and_gradient(mode, student, teacher, temperature):
    gradient, value = grad_and_value(mixture)(student, teacher, temperature, {mode: 1.0})
    return value, gradient


def logits(*shape, seed=0, sd=3.0):
    return sd * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def centred(x):
    return x - x.mean(-1, keepdim=True)


@pytest.fixture
def no_fallback():
    """Any operation without a batching rule raises, where it would else run students one by one with a warning."""
    torch._C._functorch._set_vmap_fallback_enabled(False)
    yield
    torch._C._functorch._set_vmap_fallback_enabled(True)


@pytest.mark.parametrize("mode", kd.MODES)
@pytest.mark.parametrize("case", GOLDEN)
def test_mode_equals_its_golden_number(case, mode):
    student, teacher, temperature, golden = GOLDEN[case]
    value = distance(mode, torch.tensor(student), torch.tensor(teacher), temperature)
    assert value.item() == pytest.approx(golden[mode], rel=1e-6)


def test_no_two_modes_share_a_golden_number():
    for _, _, _, golden in GOLDEN.values():
        assert golden.keys() == kd.MODES.keys()
        for a, b in itertools.combinations(golden.values(), 2):
            assert a != pytest.approx(b, rel=1e-2)


# STUDENT with labels 3, 1, 0 in float64 numpy: -mean log p[label]; smoothing s: (1 - s) x that + s x mean of -log p
@pytest.mark.parametrize(("smoothing", "golden"), [(0.0, 2.2736398871619765), (0.1, 2.3069732204953097)])
def test_hard_loss_equals_its_golden_number(smoothing, golden):
    assert hard_loss(torch.tensor(STUDENT), LABELS, smoothing).item() == pytest.approx(golden, rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_hard_loss_equals_torch_in_value_and_gradient(smoothing):
    student, labels = logits(16, 10), torch.arange(16) % 10
    ours = grad_and_value(lambda s: hard_loss(s, labels, smoothing))(student)
    torchs = grad_and_value(lambda s: F.cross_entropy(s, labels, label_smoothing=smoothing))(student)
    torch.testing.assert_close(ours, torchs)


@pytest.mark.parametrize("temperature", [0.5, 4.0, 100.0])
@pytest.mark.parametrize("mode", kd.MODES)
def test_a_student_that_agrees_has_no_gradient_and_no_distance(mode, temperature):
    same = logits(8, 10)
    value, gradient = value_and_gradient(mode, same, same.clone(), temperature)
    q = torch.softmax(same / temperature, -1)
    expected = -(q * q.log()).sum(-1).mean().item() if mode == "cse" else 0.0  # the teacher's entropy
    assert value.item() == pytest.approx(expected, rel=1e-5, abs=1e-12)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-7)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 4.0, 20.0, 1000.0])
def test_cse_and_kl_have_one_gradient_which_is_p_less_q(temperature):
    student, teacher = logits(8, 10, seed=1), logits(8, 10, seed=2)
    p, q = torch.softmax(student / temperature, -1), torch.softmax(teacher / temperature, -1)
    expected = (p - q) / temperature / len(student)  # Hinton et al. 2015, equation 2, batch mean
    for mode in ("cse", "kl"):
        _, gradient = value_and_gradient(mode, student, teacher, temperature)
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-7 / temperature)


@pytest.mark.parametrize(("temperature", "within"), [(100.0, 6e-3), (1000.0, 6e-4)])
def test_scaled_kl_of_a_hot_softmax_is_half_the_mean_square_of_centred_logits(temperature, within):
    student, teacher = logits(8, 100, seed=1), logits(8, 100, seed=2)
    value, gradient = value_and_gradient("kl", student, teacher, temperature)
    difference = centred(student) - centred(teacher)
    assert temperature**2 * value.item() == pytest.approx(difference.square().mean().item() / 2, rel=within)
    # Hinton et al. 2015, equation 4. The tolerance is of the largest entry: the next term is O(1 / T).
    expected = difference / difference.numel()
    largest = expected.abs().max().item()
    torch.testing.assert_close(temperature**2 * gradient, expected, rtol=0, atol=20 / temperature * largest)


@pytest.mark.parametrize("temperature", [20.0, 40.0, 80.0, 160.0])
def test_scaled_kl_nears_its_limit_as_one_over_the_temperature(temperature):
    # Expanding KL in 1/T about the uniform distribution, with d = student - teacher, u = teacher, both centred:
    # T^2 KL = mean(d^2) / 2 + mean(u d^2 / 2 + d^3 / 6) / T + O(1 / T^2). Skewed logits make the second term plain.
    student = logits(8, 100, seed=1)
    teacher = logits(8, 100, seed=2) + 2 * logits(8, 100, seed=3, sd=1).square()
    d, u = centred(student) - centred(teacher), centred(teacher)
    limit, slope = d.square().mean() / 2, (u * d.square() / 2 + d.pow(3) / 6).mean()
    value = distance("kl", student, teacher, temperature)
    assert ((temperature**2 * value - limit) * temperature / slope).item() == pytest.approx(1, abs=5 / temperature)


@pytest.mark.parametrize("mode", kd.MODES)
def test_temperature_changes_every_mode_but_logit_mse(mode):
    values = [distance(mode, torch.tensor(STUDENT), torch.tensor(TEACHER), t).item() for t in (1.0, 4.0, 20.0)]
    assert len(set(values)) == (1 if mode == "logit_mse" else 3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("mode", kd.MODES)
def test_result_is_float32_and_as_exact_as_the_input_allows(mode, dtype):
    student, teacher = torch.tensor(STUDENT, dtype=dtype), torch.tensor(TEACHER, dtype=dtype)  # exact in all of them
    value = distance(mode, student, teacher, 3.0)  # a third is exact in none
    assert value.dtype == torch.float32
    assert torch.equal(value, distance(mode, student.float(), teacher.float(), 3.0))
    assert hard_loss(student, LABELS, 0.1).dtype == torch.float32


@pytest.mark.parametrize("temperature", [0.01, 1.0, 1000.0])
@pytest.mark.parametrize("mode", kd.MODES)
def test_extreme_logits_give_finite_values_and_gradients(mode, temperature):
    student = torch.tensor([[1e4, -1e4, 0.0], [0.0, 0.0, 1e4]])
    value, gradient = value_and_gradient(mode, student, torch.tensor([[-1e4, 1e4, 0.0], [1e4, 0.0, 0.0]]), temperature)
    assert value.isfinite()
    assert gradient.isfinite().all()
    assert hard_loss(student, torch.tensor([1, 0]), 0.1).isfinite()


@pytest.mark.parametrize("mode", ["cse", "kl", "mse"])
def test_a_class_that_the_teacher_masks_costs_nothing(mode):
    masked = torch.tensor([[1.0, 2.0, -math.inf]])
    value, gradient = value_and_gradient(mode, torch.tensor([[1.0, 2.0, -200.0]]), masked, 1.0)
    q = torch.softmax(masked[:, :2], -1)
    assert value.item() == pytest.approx(-(q * q.log()).sum().item() if mode == "cse" else 0.0, abs=1e-6)
    assert gradient.isfinite().all()


PACKS = {mode: [{mode: 1.0}] * 3 for mode in kd.MODES} | {
    "each its own mode": [{"cse": 1.0}, {"mse": 1.0}, {"logit_mse": 1.0}],
    "mixtures": [{"cse": 0.5, "mse": 2.0}, {"kl": 1.0, "mse": 1.0}, {"cse": 0.25, "logit_mse": 0.1}],
}


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.usefixtures("no_fallback")
def test_distances_of_a_pack_equal_those_in_a_loop(pack):
    students, teacher, temperatures = logits(3, 6, 10, seed=1), logits(6, 10, seed=2), torch.tensor([0.5, 4.0, 30.0])
    stacked = {mode: torch.tensor([modes.get(mode, 0.0) for modes in PACKS[pack]]) for mode in kd.MODES}
    f = grad_and_value(mixture)
    gradients, values = vmap(f, in_dims=(0, None, 0, 0))(students, teacher, temperatures, stacked)
    for s, modes in enumerate(PACKS[pack]):
        alone = f(students[s], teacher, temperatures[s].item(), modes)
        torch.testing.assert_close((gradients[s], values[s]), alone)


@pytest.mark.usefixtures("no_fallback")
def test_hard_losses_of_a_pack_equal_those_in_a_loop():
    students, labels, smoothing = logits(3, 6, 10), torch.arange(18).reshape(3, 6) % 10, torch.tensor([0.0, 0.1, 0.4])
    f = grad_and_value(hard_loss)
    gradients, values = vmap(f)(students, labels, smoothing)
    for s in range(3):
        alone = f(students[s], labels[s], smoothing[s].item())
        torch.testing.assert_close((gradients[s], values[s]), alone)


# Worked out in plain Python from numpy's PCG64: sort the images by their draws; each reads the next one's row.
DRAWN = [(0, 8, [2, 5, 6, 4, 7, 3, 1, 0]), (1, 8, [6, 3, 5, 7, 0, 1, 2, 4]), (0, 50_000, [17422, 11342, 7993, 11048])]


@pytest.mark.parametrize(("data_seed", "images", "first"), DRAWN)
def test_shuffled_teacher_reads_the_same_other_image_always(data_seed, images, first):
    others = controls.partners(data_seed, images)
    assert others[: len(first)].tolist() == first
    assert sorted(others.tolist()) == list(range(images))
    assert not (others == np.arange(images)).any()


@pytest.mark.parametrize("images", [2, 3, 10, 257])
@pytest.mark.parametrize("data_seed", [0, 1, 2**40])
def test_shuffled_teacher_gives_each_image_anothers_row(data_seed, images):
    rows = torch.arange(images, dtype=torch.float16)[:, None].expand(images, 3)
    shuffled = controls.controlled(rows, "shuffled-teacher", data_seed)
    assert shuffled.dtype == torch.float16
    assert (shuffled != rows).all()
    assert sorted(shuffled[:, 0].tolist()) == list(range(images))


def test_uniform_teacher_says_the_same_of_every_class_and_none_changes_nothing():
    true = logits(5, 4).half()
    uniform = controls.controlled(true, "uniform-teacher", 0)
    assert uniform.dtype == true.dtype
    assert torch.equal(torch.softmax(uniform.float(), -1), torch.full((5, 4), 0.25))
    assert controls.controlled(true, "none", 0) is true


def test_a_control_that_cannot_be_is_refused_in_one_line():
    with pytest.raises(InputError, match=r"^control: unknown name 'shuffled' \(did you mean 'shuffled-teacher'\?\)"):
        controls.controlled(logits(5, 4), "shuffled", 0)
    with pytest.raises(InputError, match="needs at least 2 images"):
        controls.controlled(logits(1, 4), "shuffled-teacher", 0)
