"""The network of both student and teacher, Table 1."""

from torch import Tensor, nn


class PaperModel(nn.Module):
    """A perceptron with batch norm and dropout: pixels (B, D) to logits (B, K)."""

    def __init__(self, features: int, width: int, classes: int):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(features, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, classes)
        )

    def forward(self, pixels: Tensor) -> Tensor:
        return self.net(pixels)
