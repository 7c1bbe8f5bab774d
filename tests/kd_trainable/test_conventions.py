"""How (alpha, T) give the two weights: the table in literal rows, and a published loss for each convention.

hinton (1 - a, a T^2); unscaled (1 - a, a); additive (1, a T^2); hard_lambda (a, 1). ``logit_mse`` leaves T^2 out.
"""

import pytest
import torch
import torch.nn.functional as F

from kd_trainable.methods import controls, kd
from kd_trainable.methods.hard import hard_loss
from kd_trainable.rules import CONTROLS, CONVENTIONS, MODES
from kd_trainable.spec import weights

SOFTENED = ("cse", "kl", "mse")
ROWS = [  # convention, alpha, T, hard_weight, soft_weight, soft_weight of logit_mse
    ("hinton", 0.9, 4.0, 0.1, 14.4, 0.9),
    ("hinton", 0.25, 1.0, 0.75, 0.25, 0.25),
    ("hinton", 1.0, 16.0, 0.0, 256.0, 1.0),
    ("hinton", 0.0, 8.0, 1.0, 0.0, 0.0),
    ("unscaled", 0.9, 5.0, 0.1, 0.9, 0.9),
    ("unscaled", 0.25, 50.0, 0.75, 0.25, 0.25),
    ("additive", 0.1, 30.0, 1.0, 90.0, 0.1),
    ("additive", 9.0, 2.0, 1.0, 36.0, 9.0),
    ("hard_lambda", 0.5, 10.0, 0.5, 1.0, 1.0),
    ("hard_lambda", 2.0, 1.0, 2.0, 1.0, 1.0),
]
LABELS = torch.tensor([3, 1, 0])
STUDENT = torch.tensor([[1.5, -0.5, 0.25, 2.0], [0.0, 3.0, -1.0, 0.5], [-2.0, 1.0, 4.0, -0.75]])
TEACHER = torch.tensor([[4.0, -1.5, 0.5, 1.0], [-0.5, 6.0, 0.75, -2.0], [1.25, -3.0, 5.5, 0.0]])


@pytest.mark.parametrize(("convention", "alpha", "temperature", "hard", "soft", "soft_of_logits"), ROWS)
def test_convention_is_its_row_of_the_table(convention, alpha, temperature, hard, soft, soft_of_logits):
    for mode in SOFTENED:
        assert weights(convention, alpha, temperature, mode) == pytest.approx((hard, soft))
    assert weights(convention, alpha, temperature, "logit_mse") == pytest.approx((hard, soft_of_logits))


def test_every_convention_has_a_row_and_every_mode_a_column():
    assert {row[0] for row in ROWS} == set(CONVENTIONS)
    assert {*SOFTENED, "logit_mse"} == set(MODES)


def test_tables_hold_the_names_that_a_spec_may_say():
    assert tuple(kd.MODES) == MODES
    assert tuple(controls.CONTROLS) == CONTROLS


def ours(convention, alpha, temperature, mode):
    """hard_weight x CE + soft_weight x D, as the engine composes it."""
    hard, soft = weights(convention, alpha, temperature, mode)
    return hard * hard_loss(STUDENT, LABELS) + soft * kd.MODES[mode](STUDENT, TEACHER, temperature)


def soft_cross_entropy(temperature):
    return F.cross_entropy(STUDENT / temperature, torch.softmax(TEACHER / temperature, 1))


@pytest.mark.parametrize(("alpha", "temperature"), [(1.0, 1.0), (0.5, 1.0), (1.0, 16.0), (0.3, 8.0), (0.9, 16.0)])
def test_hinton_is_the_loss_of_document_000_for_both_its_modes(alpha, temperature):
    # JoonyoungYi/KD-pytorch b78655c trainer.py: a x soft x T x T + (1 - a) x hard
    p, q = torch.softmax(STUDENT / temperature, 1), torch.softmax(TEACHER / temperature, 1)
    published = {"cse": -torch.mean(torch.sum(q * p.log(), 1)), "mse": F.mse_loss(p, q) / 2}
    for mode, soft in published.items():
        loss = alpha * soft * temperature * temperature + (1 - alpha) * F.cross_entropy(STUDENT, LABELS)
        torch.testing.assert_close(ours("hinton", alpha, temperature, mode), loss)


@pytest.mark.parametrize(("alpha", "temperature"), [(0.1, 1.0), (0.25, 2.5), (0.5, 10.0), (0.9, 50.0)])
def test_unscaled_is_the_loss_of_document_001(alpha, temperature):
    # Its formula: (1 - a) CE(y, softmax(z_S)) + a CE(softmax(z_S / T), softmax(z_T / T)), the teacher as the target
    loss = (1 - alpha) * F.cross_entropy(STUDENT, LABELS) + alpha * soft_cross_entropy(temperature)
    torch.testing.assert_close(ours("unscaled", alpha, temperature, "cse"), loss)


@pytest.mark.parametrize("temperature", [1.0, 10.0, 30.0, 50.0, 100.0])
def test_additive_is_the_loss_of_document_002(temperature):
    # tyui592/knowledge_distillation aadc987 loss.py: KLDivLoss(batchmean) x T^2 x weight + cross_entropy; weight 0.1
    # In float64, since in float32 T^2 multiplies the rounding errors of its KL.
    student, teacher = STUDENT.double(), TEACHER.double()
    log_p, q = torch.log_softmax(student / temperature, 1), torch.softmax(teacher / temperature, 1)
    loss = F.kl_div(log_p, q, reduction="batchmean") * temperature**2 * 0.1 + F.cross_entropy(student, LABELS)
    torch.testing.assert_close(ours("additive", 0.1, temperature, "kl"), loss.float())


@pytest.mark.parametrize(("hard_share", "temperature"), [(0.5, 10.0), (0.1, 5.0)])
def test_hard_lambda_is_the_loss_of_document_004(hard_share, temperature):
    # johnkorn/distillation 421ed7a train.py: lambda x logloss(y, p) + logloss(softmax(z_T / T), softmax(z_S / T))
    loss = hard_share * F.cross_entropy(STUDENT, LABELS) + soft_cross_entropy(temperature)
    torch.testing.assert_close(ours("hard_lambda", hard_share, temperature, "cse"), loss)
