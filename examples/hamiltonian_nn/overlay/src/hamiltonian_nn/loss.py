"""The objective: what the paper minimises."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """L2 loss to the true time derivatives, Section 2: the mean over observations and over the two components.

    The mean over components is our reading: PAPER.md, Ambiguities.

    Shapes:
        predicted, true (B, 2) float; returns scalars.
    """

    def forward(self, predicted: Tensor, true: Tensor) -> dict[str, Tensor]:
        """The terms of the loss by name, their total under ``loss``."""
        return {"loss": F.mse_loss(predicted, true)}
