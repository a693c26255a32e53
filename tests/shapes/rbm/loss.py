"""Contrastive divergence."""

from torch import Tensor, nn


class PaperLoss(nn.Module):
    """F(data) - F(chain), whose gradient is that of Equation (8)."""

    def forward(self, data: Tensor, chain: Tensor) -> dict[str, Tensor]:
        return {"loss": data.mean() - chain.mean()}
