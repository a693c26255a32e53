"""The architecture: a recurrent layer that reads a string, and a read-out of its last state."""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.init import trunc_normal_, zeros_

from .data import TASKS


class PaperModel(nn.Module):
    """A single recurrent layer, Appendix A.2, with the answer read at the empty token, Appendix A.3.

    The RNN is h_t = ReLU(W x_t + U h_{t-1} + b), and ReLU stands before the read-out as well, as in the official code.

    Args:
        task: decides how many tokens and classes there are.
        cell: ``rnn`` or ``lstm``.
        hidden: H, its size.
        init: of the weights: ``haiku``, as of the official code's library, or ``torch``.

    Shapes:
        tokens (B, T + 1) long, the empty one last; returns logits (B, K) float.
    """

    def __init__(self, task: str, cell: str, hidden: int, init: str):
        super().__init__()
        self.tokens = TASKS[task].symbols + 1
        settings = {"rnn": {"nonlinearity": "relu"}, "lstm": {}}[cell]
        self.recurrent = getattr(nn, cell.upper())(self.tokens, hidden, batch_first=True, **settings)
        self.read_out = nn.Linear(hidden, TASKS[task].classes)
        if init == "haiku":
            self._init_as_haiku(cell)

    def _init_as_haiku(self, cell: str) -> None:
        """Normal with variance 1 / fan-in, cut off at two standard deviations; biases 0, the LSTM's forget gate's 1."""
        inputs, hidden = self.tokens, self.read_out.in_features
        both = inputs + hidden  # the LSTM has one matrix for x_t and h_{t-1}
        fan_in = {"rnn": (inputs, hidden), "lstm": (both, both)}[cell]
        weights = [self.recurrent.weight_ih_l0, self.recurrent.weight_hh_l0, self.read_out.weight]
        for weight, fan in zip(weights, [*fan_in, hidden], strict=True):
            trunc_normal_(weight, std=fan**-0.5, a=-2 * fan**-0.5, b=2 * fan**-0.5)
        for bias in (self.recurrent.bias_ih_l0, self.recurrent.bias_hh_l0, self.read_out.bias):
            zeros_(bias)
        if cell == "lstm":
            self.recurrent.bias_ih_l0.data[hidden : 2 * hidden] = 1  # PyTorch's gates are i, f, g, o

    def forward(self, tokens: Tensor) -> Tensor:
        x = F.one_hot(tokens, self.tokens).to(self.read_out.weight.dtype)  # (B, T + 1) -> (B, T + 1, V)
        states, _ = self.recurrent(x)  # -> (B, T + 1, H)
        return self.read_out(states[:, -1].relu())  # (B, H) -> (B, K)
