"""Binary digits."""

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, random_split


class PaperDataModule(L.LightningDataModule):
    """1,397 images for training, 400 for test; no validation.

    Args:
        batch_size: B.
    """

    def __init__(self, batch_size: int):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage=None):
        pixels = torch.tensor(load_digits().data > 7).float()
        draw = torch.Generator().manual_seed(0)
        self.train, self.test = random_split(TensorDataset(pixels), [1397, 400], draw)

    def train_dataloader(self):
        return DataLoader(self.train, self.batch_size, shuffle=True, drop_last=True)

    def test_dataloader(self):
        return DataLoader(self.test, self.batch_size)
