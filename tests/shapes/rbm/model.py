"""A restricted Boltzmann machine."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PaperModel(nn.Module):
    """Free energy of Equation (5).

    Args:
        visible: V.
        hidden: H.

    Shapes:
        v (B, V) in {0, 1}; returns the free energy (B,).
    """

    def __init__(self, visible: int, hidden: int):
        super().__init__()
        self.w = nn.Parameter(0.01 * torch.randn(visible, hidden))
        self.a, self.b = nn.Parameter(torch.zeros(visible)), nn.Parameter(torch.zeros(hidden))

    def forward(self, v: Tensor) -> Tensor:
        return -v @ self.a - F.softplus(v @ self.w + self.b).sum(-1)

    @torch.no_grad()
    def gibbs(self, v: Tensor, steps: int) -> Tensor:
        for _ in range(steps):
            h = torch.bernoulli(torch.sigmoid(v @ self.w + self.b))
            v = torch.bernoulli(torch.sigmoid(h @ self.w.T + self.a))
        return v

    def reconstruct(self, v: Tensor) -> Tensor:
        """Mean field: the probabilities of the visible units after one pass."""
        return torch.sigmoid(torch.sigmoid(v @ self.w + self.b) @ self.w.T + self.a)
