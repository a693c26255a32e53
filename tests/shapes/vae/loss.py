"""The bound."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """The negative bound per sample, Equation (3): nats of reconstruction plus the KL divergence in closed form.

    Args:
        beta: weight of the divergence.

    Shapes:
        x, logits (B, 64), mean, log_variance (B, Z); returns scalars.
    """

    def __init__(self, beta: float):
        super().__init__()
        self.beta = beta

    def forward(self, x: Tensor, logits: Tensor, mean: Tensor, log_variance: Tensor) -> dict[str, Tensor]:
        reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1).mean()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()  # Appendix B
        return {"loss": reconstruction + self.beta * kl, "reconstruction": reconstruction, "kl": kl}
