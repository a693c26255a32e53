"""The negative evidence."""

from torch import Tensor, nn


class PaperLoss(nn.Module):
    """-log p(y | X), Equation (2.30)."""

    def forward(self, evidence: Tensor) -> dict[str, Tensor]:
        return {"loss": -evidence}
