"""The error of one prediction."""

from torch import Tensor, nn


class PaperLoss(nn.Module):
    """δ², Equation (2): δ = R + V(S') - V(S).

    Shapes:
        delta () float; returns scalars.
    """

    def forward(self, delta: Tensor) -> dict[str, Tensor]:
        return {"loss": delta**2}
