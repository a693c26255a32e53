"""Sums of two numbers; the length grows with the epochs, Section 3."""

import lightning as L
import torch
from torch.utils.data import DataLoader, Dataset


class Sums(Dataset):
    """Two numbers of T bits and their sum modulo 2^T."""

    def __init__(self, number: int, length: int, seed: int):
        draw = torch.Generator().manual_seed(seed)
        self.x = torch.randint(2, (number, length, 2), generator=draw).float()
        carry, self.y = torch.zeros(number), torch.zeros(number, length)
        for t in range(length):
            total = self.x[:, t].sum(1) + carry
            self.y[:, t], carry = total % 2, (total >= 2).float()

    def __len__(self):
        return len(self.x)

    def __getitem__(self, k):
        return self.x[k], self.y[k]


class PaperDataModule(L.LightningDataModule):
    """Training begins with short numbers; each epoch has new, longer ones. Validation and test are long.

    Args:
        batch_size: B.
        number: of sums in an epoch.
        first: length in the first epoch.
        growth: bits more per epoch.
        last: length of validation and test.
    """

    def __init__(self, batch_size: int, number: int, first: int, growth: int, last: int):
        super().__init__()
        self.batch_size, self.number, self.first, self.growth, self.last = batch_size, number, first, growth, last

    def setup(self, stage=None):
        self.val, self.test = Sums(200, self.last, 1_000_001), Sums(200, self.last, 1_000_002)

    def train_dataloader(self):
        epoch = self.trainer.current_epoch
        length = min(self.last, self.first + self.growth * epoch)
        return DataLoader(Sums(self.number, length, epoch), self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.val, self.batch_size)

    def test_dataloader(self):
        return DataLoader(self.test, self.batch_size)
