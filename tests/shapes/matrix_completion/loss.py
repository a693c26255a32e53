"""Equation (3)."""

from torch import Tensor, nn


class PaperLoss(nn.Module):
    """Squared error of observed entries, averaged over them, Equation (3).

    Shapes:
        predictions, ratings (B, N) float; observed (B, N) bool; returns a scalar.
    """

    def forward(self, predictions: Tensor, ratings: Tensor, observed: Tensor) -> dict[str, Tensor]:
        return {"loss": (predictions - ratings)[observed].square().mean()}
