"""The classifier of Section 2."""

from torch import Tensor, nn


class PaperModel(nn.Module):
    """A perceptron with one hidden layer: features (B, D) float to logits (B,) float."""

    def __init__(self, features: int, width: int):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(features, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, features: Tensor) -> Tensor:
        return self.net(features)[:, 0]  # (B, 1) -> (B,)
