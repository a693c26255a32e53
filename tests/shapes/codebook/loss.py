"""Reconstruction and commitment."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """Equation (3) without its second term: codes are averages."""

    def __init__(self, beta: float):
        super().__init__()
        self.beta = beta

    def forward(self, found: Tensor, z: Tensor, e: Tensor, x: Tensor) -> dict[str, Tensor]:
        reconstruction, commitment = F.mse_loss(found, x), F.mse_loss(z, e.detach())
        return {
            "loss": reconstruction + self.beta * commitment,
            "reconstruction": reconstruction,
            "commitment": commitment,
        }
