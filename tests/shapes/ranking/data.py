"""Implicit feedback, leave-one-out."""

from typing import NamedTuple

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader


class Interactions(NamedTuple):
    """User and item (B,) long, and seen (B, I) bool: the items that the user is known to have taken before."""

    user: Tensor
    item: Tensor
    seen: Tensor


class PaperDataModule(L.LightningDataModule):
    """Users who mostly take items of their own group. Of each user, one item is for validation and one for test."""

    def __init__(self, users: int, items: int, groups: int, taken: int, batch_size: int, data_seed: int = 0):
        super().__init__()
        self.users, self.items, self.groups, self.taken = users, items, groups, taken
        self.batch_size, self.data_seed = batch_size, data_seed

    def setup(self, stage: str | None = None) -> None:
        users, generator = torch.arange(self.users), torch.Generator().manual_seed(self.data_seed)
        same = users[:, None] % self.groups == torch.arange(self.items) % self.groups  # (U, I)
        items = torch.multinomial(torch.where(same, 1.0, 0.05), self.taken, generator=generator)  # (U, taken)
        nothing = torch.zeros(self.users, self.items, dtype=torch.bool)
        known, before = nothing.scatter(1, items[:, :-2], True), nothing.scatter(1, items[:, :-1], True)
        self.train = [Interactions(u, i, known[u]) for u in users for i in items[u, :-2]]
        self.val = [Interactions(u, items[u, -2], known[u]) for u in users]
        self.test = [Interactions(u, items[u, -1], before[u]) for u in users]

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, self.batch_size)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, self.batch_size)
