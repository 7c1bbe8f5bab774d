"""An interrupted and resumed run equals the uninterrupted one, by way of its checkpoint file."""

from __future__ import annotations

from typing import Any

import pytest
import tiny
import torch
from safetensors.torch import load as load_safetensors

from kd_trainable.engine import checkpoint


@pytest.mark.parametrize("interrupted_after", [1, 2])
@pytest.mark.parametrize(
    "changes",
    [
        *({**optimizer, "student": "tiny:conv", "augment": "crop4+flip"} for optimizer in tiny.OPTIMIZERS),
        {"student": "tiny:dropout_mlp", "augment": "flip", "warmup_epochs": 2},
        {"student": "tiny:conv", "schedule": "multistep", "milestones": [1, 2], "fresh_optimizer": True},
        {"student": "tiny:conv", "precision": "bf16", "mode": "cse", "temperature": [[0, 1], [2, 4]]},
        {"student": "tiny:conv", "method": "none", "label_smoothing": 0.1, "patience": 2},
    ],
)
def test_resumed_equals_uninterrupted(changes: dict[str, Any], interrupted_after: int) -> None:
    spec = tiny.spec(**changes)
    first = tiny.trained(spec, interrupted_after, channels_last=True)
    saved = checkpoint.encode(first, {"train_seconds": 1.5})
    second = tiny.run_of(spec, channels_last=True)
    torch.rand(7)  # the generator's state is not what a run depends on
    tensors, history, facts = checkpoint.decode(saved)
    second.load(tensors, history)
    assert facts == {"train_seconds": 1.5}
    tiny.assert_same(second, first)
    while len(second.history) < spec.epochs:
        second.step_epoch()
    tiny.assert_same(second, tiny.trained(spec, channels_last=True))


def test_a_run_is_the_same_again_and_another_with_another_seed() -> None:
    spec = tiny.spec(student="tiny:conv", augment="crop4+flip")
    tiny.assert_same(tiny.trained(spec), tiny.trained(spec))
    assert tiny.rows(tiny.trained(spec)) != tiny.rows(
        tiny.trained(tiny.spec(student="tiny:conv", augment="crop4+flip", seed=1))
    )


@pytest.mark.parametrize("other", [{"student": "tiny:conv"}, {"method": "kd+dml"}])
def test_a_checkpoint_of_other_networks_changes_nothing(other: dict[str, Any]) -> None:
    """As when one's own network was changed since under its name."""
    tensors, history, _ = checkpoint.decode(checkpoint.encode(tiny.trained(tiny.spec(**other), 1), {}))
    run = tiny.run_of(tiny.spec())
    with pytest.raises(ValueError, match="is not this run's"):
        run.load(tensors, history)
    tiny.assert_same(run, tiny.run_of(tiny.spec()))


@pytest.mark.parametrize(
    ("key", "shape"), [("optimizer.99.momentum_buffer", ()), ("optimizer.0.momentum_buffer", (3, 5, 7))]
)
def test_a_checkpoint_of_another_optimizer_changes_nothing(key: str, shape: tuple[int, ...]) -> None:
    tensors, history, _ = checkpoint.decode(checkpoint.encode(tiny.trained(tiny.spec(), 1), {}))
    run = tiny.run_of(tiny.spec())
    with pytest.raises(ValueError, match="of its optimizer is not this run's"):
        run.load({**tensors, key: torch.zeros(shape)}, history)
    tiny.assert_same(run, tiny.run_of(tiny.spec()))


# The checkpoint's file.


def test_a_checkpoint_that_was_cut_short_is_refused() -> None:
    content = checkpoint.encode(tiny.trained(tiny.spec(), 1), {})
    for length in [0, 1, 7, 8, 9, 100, len(content) // 2, len(content) - 1]:
        with pytest.raises(ValueError, match="not a whole checkpoint"):
            checkpoint.decode(content[:length])


def test_a_checkpoint_with_any_byte_changed_is_refused() -> None:
    content = checkpoint.encode(tiny.trained(tiny.spec(), 1), {"train_seconds": 1.0})
    for place in range(0, len(content), 53):
        changed = bytearray(content)
        changed[place] ^= 1
        with pytest.raises(ValueError, match="not a whole checkpoint"):
            checkpoint.decode(bytes(changed))


def test_tied_weights_are_saved_and_stay_tied() -> None:
    spec = tiny.spec(student="tiny:Tied")
    run, again = tiny.trained(spec, 1), tiny.run_of(spec)
    again.load(*checkpoint.decode(checkpoint.encode(run, {}))[:2])
    again.step_epoch()
    run.step_epoch()
    tiny.assert_same(run, again)
    assert again.student.head.weight is again.student.again.weight
    weights = load_safetensors(checkpoint.student_weights(run))
    assert torch.equal(weights["head.weight"], weights["again.weight"])


def test_the_students_file_holds_its_weights_and_nothing_else() -> None:
    run = tiny.trained(tiny.spec(student="tiny:conv"), 1, channels_last=True)
    weights, wanted = load_safetensors(checkpoint.student_weights(run)), run.student.state_dict()
    assert weights.keys() == wanted.keys()
    assert all(torch.equal(weights[name], wanted[name]) for name in wanted)


def test_fresh_optimizer_forgets_its_momentum_at_milestones_only() -> None:
    """Forgetting is going on from the weights alone; everywhere else the momentum is kept."""
    common = {"schedule": "multistep", "milestones": [2], "epochs": 4}
    fresh, kept = (tiny.trained(tiny.spec(**common, fresh_optimizer=flag), 2) for flag in (True, False))
    tiny.assert_same(fresh, kept)
    weights = {k: v.clone() for k, v in kept.tensors().items() if k.startswith("student.")}
    forgetful = tiny.run_of(tiny.spec(**common, fresh_optimizer=False))
    forgetful.load(weights, kept.history)
    for run in (fresh, kept, forgetful):
        run.step_epoch()
        run.step_epoch()
    tiny.assert_same(fresh, forgetful)
    assert tiny.rows(fresh) != tiny.rows(kept)
