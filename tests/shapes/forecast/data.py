"""Sums of waves, cut into windows after the split in time."""

import lightning as L
import torch
from torch.utils.data import DataLoader, Dataset


class Windows(Dataset):
    """Windows of a series, as a dict."""

    def __init__(self, series, history, horizon):
        self.series, self.history, self.horizon = series, history, horizon

    def __len__(self):
        return len(self.series) - self.history - self.horizon + 1

    def __getitem__(self, k):
        part = self.series[k : k + self.history + self.horizon]
        return {"history": part[: self.history], "future": part[self.history :], "start": k}


class PaperDataModule(L.LightningDataModule):
    """One series of 1,200 values: 800, 200 and 200."""

    def __init__(self, batch_size: int, history: int, horizon: int):
        super().__init__()
        self.batch_size, self.history, self.horizon = batch_size, history, horizon

    def setup(self, stage=None):
        t = torch.arange(1200.0)
        noise = 0.1 * torch.randn(1200, generator=torch.Generator().manual_seed(0))
        series = (t / 7).sin() + 0.5 * (t / 31).cos() + noise
        series = (series - series[:800].mean()) / series[:800].std()
        self.parts = [Windows(s, self.history, self.horizon) for s in (series[:800], series[800:1000], series[1000:])]

    def train_dataloader(self):
        return DataLoader(self.parts[0], self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.parts[1], self.batch_size)

    def test_dataloader(self):
        return DataLoader(self.parts[2], self.batch_size)
