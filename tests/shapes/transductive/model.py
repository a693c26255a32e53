"""A graph convolutional network."""

from torch import Tensor, nn


class PaperModel(nn.Module):
    """Â ReLU(Â X W₀) W₁, Equation (9): features (N, F) and the normalised adjacency (N, N) to logits (N, K)."""

    def __init__(self, features: int, width: int, classes: int, dropout: float):
        super().__init__()
        self.first, self.second = nn.Linear(features, width), nn.Linear(width, classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        hidden = (adjacency @ self.first(self.dropout(x))).relu()
        return adjacency @ self.second(self.dropout(hidden))
