"""Matrix factorisation, Section 4.3."""

import torch
from torch import Tensor, nn


class PaperModel(nn.Module):
    """The score x̂_ui = <w_u, h_i> + b_i, Section 4.3.1: users (B,) and items (B, J) long to scores (B, J) float."""

    def __init__(self, users: int, items: int, rank: int):
        super().__init__()
        self.users = nn.Embedding(users, rank, sparse=True)
        self.items = nn.Embedding(items, rank, sparse=True)
        self.bias = nn.Embedding(items, 1, sparse=True)
        nn.init.normal_(self.users.weight, std=0.1)
        nn.init.normal_(self.items.weight, std=0.1)
        nn.init.zeros_(self.bias.weight)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        scores = torch.einsum("bk,bjk->bj", self.users(users), self.items(items))  # (B, k), (B, J, k) -> (B, J)
        return scores + self.bias(items)[..., 0]
