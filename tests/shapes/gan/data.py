"""Eight Gaussians on a circle."""

import math

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


def centres() -> Tensor:
    angles = torch.arange(8) * math.pi / 4
    return torch.stack([angles.cos(), angles.sin()], 1)  # (8, 2)


class PaperDataModule(L.LightningDataModule):
    """Points (B, 2) for training; the centres (8, 2), one batch, to measure.

    Args:
        samples: of training.
        std: of each Gaussian.
        batch_size: B.
    """

    def __init__(self, samples: int, std: float, batch_size: int):
        super().__init__()
        self.samples, self.std, self.batch_size = samples, std, batch_size

    def setup(self, stage=None):
        draw = torch.Generator().manual_seed(0)
        which = torch.randint(8, (self.samples,), generator=draw)
        self.points = centres()[which] + self.std * torch.randn(self.samples, 2, generator=draw)

    def train_dataloader(self):
        return DataLoader(TensorDataset(self.points), self.batch_size, shuffle=True, drop_last=True)

    def val_dataloader(self):
        return DataLoader(TensorDataset(centres()), 8)

    test_dataloader = val_dataloader
