"""The objective: what the paper minimises."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """Mean absolute error, Section 5.1; what Table 1 reports, too.

    Shapes:
        predicted, true (B,) float; returns scalars.
    """

    def forward(self, predicted: Tensor, true: Tensor) -> dict[str, Tensor]:
        """The terms of the loss by name, their total under ``loss``."""
        return {"loss": F.l1_loss(predicted, true)}
