"""A perceptron."""

from torch import nn


class PaperModel(nn.Module):
    """Section 2."""

    def __init__(self, width: int):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def forward(self, x):
        return self.net(x)
