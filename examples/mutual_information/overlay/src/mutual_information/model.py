"""The critics: how strongly each x goes with each y."""

import torch
from torch import Tensor, nn


class MLP(nn.Sequential):
    """Hidden layers with ReLU, and a linear last one, as in the official code.

    Args:
        fan_in, out: sizes of input and output.
        hidden: units of a hidden layer.
        layers: hidden layers.
    """

    def __init__(self, fan_in: int, out: int, hidden: int, layers: int):
        parts = []
        for _ in range(layers):
            parts += [nn.Linear(fan_in, hidden), nn.ReLU()]
            fan_in = hidden
        super().__init__(*parts, nn.Linear(hidden, out))


class PaperModel(nn.Module):
    """The separable critic f(x, y) = g(x)ᵀ h(y), as in the official code.

    Args:
        dimension: D, of x and of y.
        hidden, layers: of the ``MLP`` that g is, and of the one that h is.
        embedding: E, size of g(x) and of h(y).

    Shapes:
        x, y (B, D) float; returns f (B, B) float, row i of x_i, column j of y_j: pairs are on the diagonal.
    """

    def __init__(self, dimension: int, hidden: int, layers: int, embedding: int):
        super().__init__()
        self.g, self.h = MLP(dimension, embedding, hidden, layers), MLP(dimension, embedding, hidden, layers)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.g(x) @ self.h(y).T  # (B, E), (E, B) -> (B, B)


class JointCritic(nn.Module):
    """The joint critic f([x, y]), as in the official code: B² forward passes. Arguments and shapes as ``PaperModel``."""

    def __init__(self, dimension: int, hidden: int, layers: int):
        super().__init__()
        self.f = MLP(2 * dimension, 1, hidden, layers)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        size = len(x)
        pairs = torch.cat([x.repeat_interleave(size, 0), y.repeat(size, 1)], dim=1)  # 2 × (B, D) -> (B·B, 2D)
        return self.f(pairs).view(size, size)  # (B·B, 1) -> (B, B)
