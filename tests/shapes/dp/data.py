"""Digits."""

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, random_split


class PaperDataModule(L.LightningDataModule):
    """1,297 images for training, 200 for validation, 300 for test.

    Args:
        batch_size: B.
    """

    def __init__(self, batch_size: int):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage=None):
        digits = load_digits()
        all_ = TensorDataset(torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target).long())
        draw = torch.Generator().manual_seed(0)
        self.train, self.val, self.test = random_split(all_, [1297, 200, 300], draw)

    def train_dataloader(self):
        return DataLoader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.val, 100)

    def test_dataloader(self):
        return DataLoader(self.test, 100)
