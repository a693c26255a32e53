"""A noisy curve."""

import lightning as L
import torch
from torch.utils.data import DataLoader, TensorDataset


class PaperDataModule(L.LightningDataModule):
    """40 points of sin(3x) + x with noise of 0.1 for training, all in one batch; 100 for test."""

    def setup(self, stage: str | None = None) -> None:
        draw = torch.Generator().manual_seed(0)
        x = 6 * torch.rand(140, 1, generator=draw, dtype=torch.float64) - 3
        y = (3 * x[:, 0]).sin() + x[:, 0] + 0.1 * torch.randn(140, generator=draw, dtype=torch.float64)
        self.train, self.test = TensorDataset(x[:40], y[:40]), TensorDataset(x[40:], y[40:])

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, 40)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, 100)
