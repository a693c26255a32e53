"""The objective: what the paper minimises."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """The simple loss, Ho et al. 2020, Equation (14): squared error of the predicted noise, mean over its components.

    TODO(paper): the paper's objective, as in Equation (…).

    Shapes:
        predicted, noise (B, C, H, W) float; returns scalars.
    """

    def forward(self, predicted: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """The terms of the loss by name, their total under ``loss``."""
        simple = F.mse_loss(predicted, noise)
        # TODO(paper): add the paper's further terms here, L = L_simple + λ · L_vlb, and name each in the dict.
        return {"loss": simple}
