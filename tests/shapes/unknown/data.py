"""Digits, and noise that a classifier should not know."""

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset


class PaperDataModule(L.LightningDataModule):
    """1,257 digits for training, 180 for validation; the test has 360 digits, and 200 images of mixed pixels."""

    def __init__(self, batch_size: int):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str | None = None) -> None:
        pixels, labels = load_digits(return_X_y=True)
        x, y = torch.tensor(pixels, dtype=torch.float32) / 16, torch.tensor(labels)
        draw = torch.Generator().manual_seed(0)
        order = torch.randperm(len(x), generator=draw)
        self.train, self.val, self.test = (TensorDataset(x[i], y[i]) for i in order.split([1257, 180, 360]))
        mixed = x[order[-200:]].gather(1, torch.rand(200, 64, generator=draw).argsort(1))
        self.unknown = TensorDataset(mixed, torch.full((200,), -1))

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, self.batch_size)

    def test_dataloader(self) -> list[DataLoader]:
        return [DataLoader(self.test, self.batch_size), DataLoader(self.unknown, self.batch_size)]
