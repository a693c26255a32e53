"""The cost of a map."""

from torch import Tensor, nn


class PaperLoss(nn.Module):
    """KL(P || Q), Equation (2).

    Shapes:
        p, q (N, N) float; returns a scalar.
    """

    def forward(self, p: Tensor, q: Tensor) -> dict[str, Tensor]:
        return {"loss": (p * (p.clamp(min=1e-12) / q.clamp(min=1e-12)).log()).sum()}
