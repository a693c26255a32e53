"""A perceptron."""

from torch import Tensor, nn


class PaperModel(nn.Module):
    """Images (B, 64) to logits (B, K)."""

    def __init__(self, width: int, classes: int):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)
