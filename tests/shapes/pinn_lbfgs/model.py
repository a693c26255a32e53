"""The trial solution."""

import torch
from torch import Tensor, nn


class PaperModel(nn.Module):
    """A network u(t), Section 3.

    Args:
        width: of its hidden layer.

    Shapes:
        t (N, 1) float; returns u (N, 1) float.
    """

    def __init__(self, width: int):
        super().__init__()
        self.inner, self.outer = nn.Linear(1, width), nn.Linear(width, 1)

    def forward(self, t: Tensor) -> Tensor:
        return self.outer(torch.tanh(self.inner(t)))
