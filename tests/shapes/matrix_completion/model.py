"""Low-rank completion."""

import torch
from torch import Tensor, nn


class PaperModel(nn.Module):
    """An autoencoder of rows, Equation (2).

    Args:
        items: N, columns of the matrix.
        hidden: width of the bottleneck.

    Shapes:
        ratings (B, N) float, zero where unobserved; observed (B, N) bool; returns (B, N).
    """

    def __init__(self, items: int, hidden: int):
        super().__init__()
        self.encode, self.decode = nn.Linear(items, hidden), nn.Linear(hidden, items)

    def forward(self, ratings: Tensor, observed: Tensor) -> Tensor:
        return self.decode(torch.sigmoid(self.encode(ratings * observed)))
