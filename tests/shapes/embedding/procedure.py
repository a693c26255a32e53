"""Shape: an embedding fitted by hand-written updates. No optimizer, no gradient of torch, the same points throughout."""

import torch

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Gradient descent with momentum and gains on all points at once, Section 3.4. An epoch is one iteration.

    Args:
        eta: learning rate.
        exaggeration: factor on P in the first ``early`` iterations.
        early: their number; then the momentum rises from 0.5 to 0.8.
    """

    def __init__(self, eta: float, exaggeration: float, early: int, **parts):
        super().__init__(**parts)
        self.automatic_optimization = False
        self.eta, self.exaggeration, self.early = eta, exaggeration, early
        self.register_buffer("velocity", torch.zeros_like(self.model.y))
        self.register_buffer("gains", torch.ones_like(self.model.y))
        self.register_buffer("iteration", torch.tensor(0))

    def configure_optimizers(self):
        return None

    def training_step(self, batch, batch_idx):
        (p,) = batch
        early = self.iteration < self.early
        y, (q, kernel) = self.model.y, self.model()
        pull = ((self.exaggeration if early else 1.0) * p - q) * kernel  # (N, N)
        gradient = 4 * (pull.sum(1, keepdim=True) * y - pull @ y)  # Equation (5)
        grows = gradient.sign() != self.velocity.sign()
        self.gains.copy_(torch.where(grows, self.gains + 0.2, self.gains * 0.8).clamp(min=0.01))
        self.velocity.mul_(0.5 if early else 0.8).sub_(self.eta * self.gains * gradient)
        y.add_(self.velocity)
        y.sub_(y.mean(0))
        self.iteration += 1
        self.log("train/loss", self.loss(p, q)["loss"])

    def test_step(self, batch, batch_idx):
        (labels,) = batch
        self.test_metrics.update(self.model.y, labels)
