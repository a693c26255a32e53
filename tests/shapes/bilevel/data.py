"""Digits, a third of whose training labels are wrong; a clean part drives the outer objective."""

import lightning as L
import torch
from lightning.pytorch.utilities import CombinedLoader
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset


class PaperDataModule(L.LightningDataModule):
    """Noisy training (1,000), clean meta set (200), validation (297), test (300).

    Args:
        batch_size: B.
    """

    def __init__(self, batch_size: int):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage=None):
        digits = load_digits()
        x, y = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target).long()
        draw = torch.Generator().manual_seed(0)
        train, meta, val, test = torch.randperm(1797, generator=draw).split([1000, 200, 297, 300])
        noisy = y[train].clone()
        noisy[:333] = torch.randint(10, (333,), generator=draw)
        self.train = TensorDataset(x[train], noisy, torch.arange(1000))
        self.meta, self.val, self.test = (TensorDataset(x[p], y[p]) for p in (meta, val, test))

    def train_dataloader(self):
        both = {
            "noisy": DataLoader(self.train, self.batch_size, shuffle=True),
            "clean": DataLoader(self.meta, self.batch_size, shuffle=True),
        }
        return CombinedLoader(both, "max_size_cycle")

    def val_dataloader(self):
        return DataLoader(self.val, 100)

    def test_dataloader(self):
        return DataLoader(self.test, 100)
