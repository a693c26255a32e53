"""The architecture: what the paper calls its model."""

from torch import Tensor, nn


class PaperModel(nn.Module):
    """A multilayer perceptron u_θ(t, x). Its activation is smooth, for the loss takes two derivatives of it.

    ``compile=true`` cannot be used: PyTorch does not differentiate a compiled model twice.

    TODO(paper): the paper's architecture, in its notation, with the section or figure that defines it.

    Args:
        width: units of a hidden layer.
        depth: hidden layers.

    Shapes:
        points (t, x) (…, 2) float; returns u_θ (…) float.
    """

    def __init__(self, width: int, depth: int):
        super().__init__()
        sizes = [2] + depth * [width]
        layers = []
        for fan_in, fan_out in zip(sizes, sizes[1:], strict=False):
            layers += [nn.Linear(fan_in, fan_out), nn.Tanh()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1))
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_normal_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, points: Tensor) -> Tensor:
        return self.layers(points).squeeze(-1)  # (…, 2) -> (…, 1) -> (…)
