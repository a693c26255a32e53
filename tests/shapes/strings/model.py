"""A reader of bytes."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence


class PaperModel(nn.Module):
    """Texts, a list of B strings, to logits (B, K); tokens are bytes, as in Section 2."""

    def __init__(self, width: int, classes: int):
        super().__init__()
        self.embed = nn.Embedding(257, width, padding_idx=256)
        self.conv = nn.Conv1d(width, width, 3, padding=1)
        self.head = nn.Linear(width, classes)

    def forward(self, texts: list[str]) -> Tensor:
        tokens = [torch.tensor(list(text.encode()), device=self.head.weight.device) for text in texts]
        padded = pad_sequence(tokens, batch_first=True, padding_value=256)  # (B, T)
        hidden = self.conv(self.embed(padded).transpose(1, 2)).relu()  # (B, W, T)
        return self.head(hidden.masked_fill((padded == 256)[:, None], 0).amax(2))
