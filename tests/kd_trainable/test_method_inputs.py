"""What the tests of the methods give them: numbers that are the same on every machine, and features of every kind."""

import numpy as np
import pytest
import torch
from torch.func import grad_and_value

from kd_trainable.engine.distances import resolve_method
from kd_trainable.methods import METHODS
from kd_trainable.terms import hyperparameters_of, softened
from kd_trainable.vocabulary import Batch, Fit, Outputs

BATCH, CLASSES = 6, 5
KINDS = {  # kind of taps -> shapes of the student's features, and of the teacher's
    "": ({}, {}),
    "embedding": ({"e": (7,)}, {"e": (9,)}),
    "last": ({"s": (6, 2, 2)}, {"s": (8, 2, 2)}),
    "middle": ({"m": (3, 4, 4)}, {"m": (5, 4, 4)}),
    "stages": ({"s1": (3, 8, 8), "s2": (6, 2, 2)}, {"s1": (5, 4, 4), "s2": (7, 4, 4)}),
    "before_relu": ({"r1": (3, 4, 4), "r2": (4, 2, 2)}, {"r1": (5, 4, 4), "r2": (6, 2, 2)}),
}
NO_BATCH = Batch(torch.zeros(BATCH, dtype=torch.int64), torch.arange(BATCH))


def drawn(seed, *shape, scale=1.0):
    """Numbers in [-scale, scale) from PCG64's raw bits, 24 of each, so that float32 and float64 hold the same."""
    bits = np.random.PCG64(seed).random_raw(int(np.prod(shape)))
    return torch.from_numpy((((bits >> 40) / 2.0**23 - 1) * scale).astype(np.float32)).reshape(shape)


def shapes(method):
    """(student's, teacher's) shapes of features by tap, as the loss of the method sees them: after its adapter."""
    ours, theirs = KINDS[METHODS[method].taps]
    return (theirs, theirs) if METHODS[method].adapter else (ours, theirs)


def outputs(of, seed, scale=1.0, stack=()):
    """Outputs with logits and features of these shapes; ``stack`` is put before the batch."""
    features = {
        tap: drawn(seed + 1 + i, *stack, BATCH, *shape, scale=scale) for i, (tap, shape) in enumerate(of.items())
    }
    return Outputs(drawn(seed, *stack, BATCH, CLASSES, scale=4 * scale), features)


def mapped(function, of):
    """The same Outputs with a function of every tensor."""
    return Outputs(function(of.logits), {tap: function(value) for tap, value in of.features.items()})


def hyperparameters(method, **changed):
    """What the engine gives the method: its defaults, and T and the mode where the convention weighs it."""
    given = hyperparameters_of(method, {}) | ({"temperature": 4.0, "modes": {"kl": 1.0}} if softened(method) else {})
    assert changed.keys() <= given.keys()
    return given | changed


def distance(name, student, teacher, given=None):
    batch = Batch(NO_BATCH.labels[: len(student.logits)], NO_BATCH.indices[: len(student.logits)])
    return resolve_method(name)(student, teacher, batch, hyperparameters=given or hyperparameters(name))


def value_and_gradient(name, student, teacher):
    """The distance, and its gradient to everything of the student's."""
    gradient, value = grad_and_value(lambda of: distance(name, of, teacher))(student)
    return value, [gradient.logits, *gradient.features.values()]


def pair(name, scale=1.0):
    ours, theirs = shapes(name)
    return outputs(ours, 100, scale), outputs(theirs, 200, scale)


def fits(method):
    """What the method's adapter is told: maps of the kind it needs, and the teacher's batch norms."""
    ours, theirs = KINDS[METHODS[method].taps]
    return [Fit(tap, ours[tap], theirs[tap], torch.nn.BatchNorm2d(theirs[tap][0])) for tap in ours]


def test_the_numbers_are_those_that_the_golden_ones_were_computed_from():
    assert drawn(1, 3).tolist() == [0.023643136024475098, 0.9009273052215576, -0.7116808891296387]
    assert drawn(20, 2, scale=2).tolist() == pytest.approx([-0.8796963691711426, -0.15541338920593262])


def test_every_kind_of_taps_that_a_method_names_has_features_here():
    assert {entry.taps for entry in METHODS.values()} <= KINDS.keys()
