"""The error that is minimised in closed form, Equation (3)."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """Mean squared error of a reconstruction (B, D), Equation (3)."""

    def forward(self, reconstruction: Tensor, images: Tensor) -> dict[str, Tensor]:
        return {"loss": F.mse_loss(reconstruction, images)}
