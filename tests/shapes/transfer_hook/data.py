"""Bytes, which become images on the device."""

from typing import NamedTuple

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.utils.data import DataLoader, Dataset


class Sample(NamedTuple):
    """An image (1, 8, 8) of bytes, and its label."""

    image: Tensor
    label: Tensor


class Digits(Dataset):
    def __init__(self, images: Tensor, labels: Tensor):
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> Sample:
        return Sample(self.images[i], self.labels[i])


class PaperDataModule(L.LightningDataModule):
    """1,257 digits for training, 180 for validation, 360 for test; batches are normalized, and augmented in training, on
    the device."""

    def __init__(self, batch_size: int):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str | None = None) -> None:
        pixels, labels = load_digits(return_X_y=True)
        x, y = torch.tensor(pixels * 15, dtype=torch.uint8).view(-1, 1, 8, 8), torch.tensor(labels)
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
        self.train, self.val, self.test = (Digits(x[i], y[i]) for i in order.split([1257, 180, 360]))
        self.mean, self.std = self.train.images.float().mean(), self.train.images.float().std()

    def on_after_batch_transfer(self, batch: Sample, dataloader_idx: int) -> Sample:
        images = (batch.image.float() - self.mean) / self.std
        if self.trainer.training:
            images = images.roll(int(torch.randint(-1, 2, ())), 3)
        return Sample(images, batch.label)

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, self.batch_size)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, self.batch_size)
