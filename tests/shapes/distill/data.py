"""Digits."""

import lightning as L
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset


class PaperDataModule(L.LightningDataModule):
    """Digits, 1,397 for training, 200 for validation and for test."""

    def __init__(self, batch_size: int):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage=None):
        x, y = load_digits(return_X_y=True)
        x, xt, y, yt = train_test_split(x / 16, y, test_size=200, random_state=0, stratify=y)
        x, xv, y, yv = train_test_split(x, y, test_size=200, random_state=0, stratify=y)
        parts = (x, y), (xv, yv), (xt, yt)
        self.parts = [TensorDataset(torch.tensor(a).float(), torch.tensor(b)) for a, b in parts]

    def train_dataloader(self):
        return DataLoader(self.parts[0], self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.parts[1], self.batch_size)

    def test_dataloader(self):
        return DataLoader(self.parts[2], self.batch_size)
