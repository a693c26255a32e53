"""A matrix of rank three with noise, a third of it observed."""

import lightning as L
import torch
from torch.utils.data import DataLoader, TensorDataset


class PaperDataModule(L.LightningDataModule):
    """Entries are split, rows are shared: the training entries of a row predict its held-out ones.

    Args:
        batch_size: rows.
        users: rows of the matrix.
        items: columns.
    """

    def __init__(self, batch_size: int, users: int, items: int):
        super().__init__()
        self.batch_size, self.users, self.items = batch_size, users, items

    def setup(self, stage=None):
        draw = torch.Generator().manual_seed(0)
        left = torch.randn(self.users, 3, generator=draw)
        right = torch.randn(3, self.items, generator=draw)
        full = left @ right + 0.1 * torch.randn(self.users, self.items, generator=draw)
        part = torch.rand(self.users, self.items, generator=draw)
        seen = part < 0.4
        masks = {"train": seen, "val": (part >= 0.4) & (part < 0.5), "test": (part >= 0.5) & (part < 0.6)}
        inputs = full * seen
        self.sets = {name: TensorDataset(inputs, seen, full * mask, mask) for name, mask in masks.items()}

    def train_dataloader(self):
        return DataLoader(self.sets["train"], self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.sets["val"], self.batch_size)

    def test_dataloader(self):
        return DataLoader(self.sets["test"], self.batch_size)
