"""The noise predictor."""

import torch
from torch import nn


class PaperModel(nn.Module):
    """Section 2. Takes x (B, 64) and t (B,) long."""

    def __init__(self, width: int, steps: int):
        super().__init__()
        self.time = nn.Embedding(steps, width)
        self.inp, self.out = nn.Linear(64, width), nn.Sequential(nn.SiLU(), nn.Linear(width, 64))
        self.register_buffer("alphas", torch.cumprod(1 - torch.linspace(1e-3, 0.2, steps), 0))

    def forward(self, x, t):
        return self.out(self.inp(x) + self.time(t))
