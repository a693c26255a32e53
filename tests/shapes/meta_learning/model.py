"""The network that adapts."""

from torch import Tensor, nn


class PaperModel(nn.Module):
    """Two hidden layers, Section 5.1.

    Args:
        width: of both.

    Shapes:
        x (..., 1) float; returns (..., 1) float.
    """

    def __init__(self, width: int):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(1, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)
