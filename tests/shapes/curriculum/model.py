"""A recurrent network that adds bits."""

from torch import Tensor, nn


class PaperModel(nn.Module):
    """Reads two numbers bit by bit, lowest first, and says the bits of their sum.

    Args:
        hidden: width.

    Shapes:
        x (B, T, 2) float; returns logits (B, T).
    """

    def __init__(self, hidden: int):
        super().__init__()
        self.rnn, self.head = nn.GRU(2, hidden, batch_first=True), nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0]).squeeze(-1)
