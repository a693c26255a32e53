"""Wasserstein."""

from torch import nn


class PaperLoss(nn.Module):
    """Equation (1)."""

    def __init__(self, penalty: float):
        super().__init__()
        self.penalty = penalty

    def forward(self, real, fake, norms):
        distance = fake.mean() - real.mean()
        return {"loss": distance + self.penalty * ((norms - 1) ** 2).mean(), "distance": distance.detach()}
