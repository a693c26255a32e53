"""A network."""

from torch import Tensor, nn


class PaperModel(nn.Module):
    """x (B, 64) to logits (B, 10), Section 3."""

    def __init__(self, width: int):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)
