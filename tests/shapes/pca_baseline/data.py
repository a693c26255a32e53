"""Digits without labels."""

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader


class PaperDataModule(L.LightningDataModule):
    """1,400 images for the fit and 397 for test, pixels in [0, 1]; a batch is one tensor (B, 64)."""

    def __init__(self, batch_size: int):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str | None = None) -> None:
        images = torch.tensor(load_digits().data / 16, dtype=torch.float32)
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
        self.train, self.test = images[order[:1400]], images[order[1400:]]

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, self.batch_size)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, self.batch_size)
