"""Teacher and student."""

import torch
from torch import nn


class PaperModel(nn.Module):
    """Section 2."""

    def __init__(self, wide: int, narrow: int, dropout: float):
        super().__init__()
        self.teacher, self.student = (
            nn.Sequential(nn.Flatten(), nn.Linear(64, n), nn.ReLU(), nn.Dropout(dropout), nn.Linear(n, 10))
            for n in (wide, narrow)
        )
        self.register_buffer("taught", torch.tensor(False))

    def forward(self, x):
        return self.student(x) if self.taught else self.teacher(x)
