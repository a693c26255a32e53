"""A small network."""

from torch import Tensor, nn


class PaperModel(nn.Module):
    """Section 4; x (B, 64) -> logits (B, 10)."""

    def __init__(self, width: int):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)
