"""The architecture: a recurrent layer that reads a string, and a read-out of its last state."""

import torch.nn.functional as F
from torch import Tensor, nn

from .data import TASKS


class PaperModel(nn.Module):
    """A single recurrent layer, Appendix A.2, with the answer read at the empty token, Appendix A.3.

    The RNN is h_t = ReLU(W x_t + U h_{t-1} + b), and ReLU stands before the read-out as well, as in the official code.

    Args:
        task: decides how many tokens and classes there are.
        cell: ``rnn`` or ``lstm``.
        hidden: H, its size.

    Shapes:
        tokens (B, T + 1) long, the empty one last; returns logits (B, K) float.
    """

    def __init__(self, task: str, cell: str, hidden: int):
        super().__init__()
        self.tokens = TASKS[task].symbols + 1
        settings = {"rnn": {"nonlinearity": "relu"}, "lstm": {}}[cell]
        self.recurrent = getattr(nn, cell.upper())(self.tokens, hidden, batch_first=True, **settings)
        self.read_out = nn.Linear(hidden, TASKS[task].classes)

    def forward(self, tokens: Tensor) -> Tensor:
        x = F.one_hot(tokens, self.tokens).to(self.read_out.weight.dtype)  # (B, T + 1) -> (B, T + 1, V)
        states, _ = self.recurrent(x)  # -> (B, T + 1, H)
        return self.read_out(states[:, -1].relu())  # (B, H) -> (B, K)
