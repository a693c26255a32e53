"""Deep Sets."""

import torch
from torch import Tensor, nn


class PaperModel(nn.Module):
    """ρ(Σ φ(x)), Equation (1): a list of B sets (n_i, 3), of any sizes, to logits (B, K)."""

    def __init__(self, width: int, classes: int):
        super().__init__()
        self.phi = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.rho = nn.Linear(width, classes)

    def forward(self, sets: list[Tensor]) -> Tensor:
        return self.rho(torch.stack([self.phi(points).mean(0) for points in sets]))
