"""Digits."""

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset


class PaperDataModule(L.LightningDataModule):
    """1,257 digits for training, 180 for validation, 360 for test; grey values in [0, 1]."""

    def __init__(self, batch_size: int):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str | None = None) -> None:
        x = torch.tensor(load_digits().data, dtype=torch.float32) / 16
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
        self.train, self.val, self.test = (TensorDataset(x[i]) for i in order.split([1257, 180, 360]))

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, self.batch_size)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, self.batch_size)
