"""Matrix factorization."""

from torch import nn


class PaperModel(nn.Module):
    """Section 2: users (B,) and items (B,) or (B, K) long -> scores."""

    def __init__(self, users: int, items: int, factors: int):
        super().__init__()
        self.user, self.item = nn.Embedding(users, factors, sparse=True), nn.Embedding(items, factors, sparse=True)
        nn.init.normal_(self.user.weight, std=0.1)
        nn.init.normal_(self.item.weight, std=0.1)

    def forward(self, users, items):
        u, i = self.user(users), self.item(items)
        return (u.unsqueeze(1) * i).sum(-1) if items.dim() == 2 else (u * i).sum(-1)
