"""Bags of words."""

from torch import nn


class PaperModel(nn.Module):
    """Section 2: tokens (sum of lengths,) and offsets (B,) -> (B, 3)."""

    def __init__(self, words: int, features: int):
        super().__init__()
        self.bag, self.out = nn.EmbeddingBag(words, features, mode="mean"), nn.Linear(features, 3)

    def forward(self, tokens, offsets):
        return self.out(self.bag(tokens, offsets))
