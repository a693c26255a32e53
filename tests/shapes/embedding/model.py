"""The map: the paper has no network."""

import torch
from torch import Tensor, nn


class PaperModel(nn.Module):
    """The points y_i of the map.

    Args:
        points: N.
        dimensions: of the map.

    Shapes:
        takes nothing; returns the similarities Q and the Student-t kernel, both (N, N).
    """

    def __init__(self, points: int, dimensions: int = 2):
        super().__init__()
        self.y = nn.Parameter(1e-4 * torch.randn(points, dimensions), requires_grad=False)

    def forward(self) -> tuple[Tensor, Tensor]:
        kernel = (1 + torch.cdist(self.y, self.y).square()).reciprocal().fill_diagonal_(0)  # Equation (4)
        return kernel / kernel.sum(), kernel
