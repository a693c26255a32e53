"""The policy."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperModel(nn.Module):
    """Logits of the two actions in each state.

    Args:
        states: S.
        hidden: width.

    Shapes:
        states (...) long; returns logits (..., 2) float.
    """

    def __init__(self, states: int, hidden: int):
        super().__init__()
        self.states = states
        self.net = nn.Sequential(nn.Linear(states, hidden), nn.Tanh(), nn.Linear(hidden, 2))

    def forward(self, states: Tensor) -> Tensor:
        return self.net(F.one_hot(states, self.states).float())
