"""The second student of deep mutual learning: it trains in the same steps, on the same pixels, from the first."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from kd_trainable.data.inputs import Inputs
from kd_trainable.engine.distances import Term, given_to
from kd_trainable.engine.evaluate import Score, autocast, evaluate
from kd_trainable.engine.guides import detached
from kd_trainable.engine.optim import make_optimizer
from kd_trainable.engine.student import make_peer
from kd_trainable.spec import RunSpec
from kd_trainable.terms import entry
from kd_trainable.vocabulary import Batch, Outputs

HardLoss = Callable[[Tensor], Tensor]
"""logits [B, K] -> the cross-entropy with the step's labels"""


class Peer:
    """A network and its optimizer, with the recipe of the first student."""

    def __init__(self, spec: RunSpec, inputs: Inputs, terms: list[Term]) -> None:
        self.spec, self.inputs = spec, inputs
        self.terms = [term for term in terms if entry(term.name).peer]
        self.network: nn.Module = make_peer(spec, inputs)
        self.renew()

    def renew(self) -> None:
        """Makes the optimizer anew."""
        self.optimizer = make_optimizer(self.spec, [self.network])

    def outputs(self, pixels: Float[Tensor, "B C H W"]) -> Outputs:
        """What it says of the pixels, to learn from and to be trained by."""
        with autocast(pixels.device, self.spec.precision):
            return Outputs(self.network(pixels))

    def step(self, own: Outputs, student: Outputs, batch: Batch, hard: HardLoss, epoch: int, lr: float) -> None:
        """One step on cross-entropy and its distance to the first student as that was before this step."""
        total = hard(own.logits)  # whole: alpha is the first student's, who may have a teacher too
        for term in self.terms:
            distance = term(own, detached(student), batch, given_to(term.name, self.spec, epoch))
            total = total + self.spec.term_weight(term.name, epoch) * distance
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        self.optimizer.step()

    def evaluate(self) -> Score:
        """Its score on the test images."""
        return evaluate(self.network, self.inputs, "test", self.spec.precision)
