"""The value function: a table."""

import torch
from torch import Tensor, nn


class PaperModel(nn.Module):
    """V of Section 3, for the states A to E between two terminal states, whose value is 0.

    Args:
        start: the first value of each state.

    Shapes:
        returns (5,) float64.
    """

    def __init__(self, start: float):
        super().__init__()
        self.v = nn.Parameter(torch.full((5,), start, dtype=torch.float64), requires_grad=False)

    def forward(self) -> Tensor:
        return self.v
