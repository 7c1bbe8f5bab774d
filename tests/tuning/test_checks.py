"""A person's own network that fails gets one line before anything starts, wherever it fails."""

from __future__ import annotations

import pytest
from torch import Tensor, nn

from kd_trainable.tuning.checks import require_shape
from kd_trainable.vocabulary import InputError


class Fails(nn.Module):
    """In its forward."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def forward(self, images: Tensor) -> Tensor:
        raise self.error


def asserts(num_classes: int) -> nn.Module:
    return Fails(AssertionError("only\n32 x 32"))


def lacks_a_key(num_classes: int) -> nn.Module:
    return Fails(KeyError("stem"))


def refuses(num_classes: int) -> nn.Module:
    return Fails(InputError("student: use another"))


def cannot_be_built(num_classes: int) -> nn.Module:
    raise NotImplementedError("for ten classes")


def gives_a_pair(num_classes: int) -> nn.Module:
    class Pair(nn.Module):
        def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
            return images, images

    return Pair()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("asserts", "student: test_checks:asserts does not take images of 1 x 8 x 8: AssertionError: only 32 x 32"),
        ("lacks_a_key", "student: test_checks:lacks_a_key does not take images of 1 x 8 x 8: KeyError: 'stem'"),
        ("cannot_be_built", "does not take images of 1 x 8 x 8: NotImplementedError: for ten classes"),
        ("gives_a_pair", "does not take images of 1 x 8 x 8: AttributeError: "),
        ("refuses", "student: use another"),
    ],
)
def test_an_own_network_that_fails_gets_one_line(name: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        require_shape("student", f"test_checks:{name}", (1, 8, 8), 10)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
