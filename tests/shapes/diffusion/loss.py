"""Equation (14)."""

from torch import nn


class PaperLoss(nn.Module):
    """Squared error of the noise."""

    def forward(self, predicted, noise):
        return {"loss": ((predicted - noise) ** 2).mean()}
