"""Points in time; the exact solution only measures."""

import math

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


def exact(t: Tensor) -> Tensor:
    """The damped oscillation that solves Equations (1) and (2)."""
    omega = math.sqrt(4 - 0.2**2)
    return torch.exp(-0.2 * t) * (torch.cos(omega * t) + 0.2 / omega * torch.sin(omega * t))


class PaperDataModule(L.LightningDataModule):
    """Collocation points in [0, end] for training, a finer grid for the test.

    Args:
        points: of training.
        end: of the interval.
    """

    def __init__(self, points: int, end: float):
        super().__init__()
        self.points, self.end = points, end

    def loader(self, points: int) -> DataLoader:
        t = torch.linspace(0, self.end, points, dtype=torch.float64)[:, None]
        return DataLoader(TensorDataset(t, exact(t)), batch_size=points)

    def train_dataloader(self):
        return self.loader(self.points)

    def test_dataloader(self):
        return self.loader(1000)
