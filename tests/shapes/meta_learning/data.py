"""Tasks: sine waves of another amplitude and phase each, Section 5.1."""

import math

import lightning as L
import torch
from torch.utils.data import DataLoader, Dataset


class Sines(Dataset):
    """Each task has its own K points of support and Q points of query.

    Args:
        tasks: their number.
        shots: K.
        queries: Q.
        seed: of the draws.
    """

    def __init__(self, tasks: int, shots: int, queries: int, seed: int):
        draw = torch.Generator().manual_seed(seed)
        amplitude = 0.5 + 1.5 * torch.rand(tasks, 1, 1, generator=draw)
        phase = math.pi * torch.rand(tasks, 1, 1, generator=draw)
        self.x = 10 * torch.rand(tasks, shots + queries, 1, generator=draw) - 5
        self.y = amplitude * torch.sin(self.x - phase)
        self.shots = shots

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        parts = {"support": slice(None, self.shots), "query": slice(self.shots, None)}
        return {name: {"x": self.x[i, part], "y": self.y[i, part]} for name, part in parts.items()}


class PaperDataModule(L.LightningDataModule):
    """Tasks for training, validation and test, from draws of their own.

    Args:
        tasks: of training; a tenth as many each for validation and test.
        shots: K.
        queries: Q.
        batch_size: tasks of one meta-update.
    """

    def __init__(self, tasks: int, shots: int, queries: int, batch_size: int):
        super().__init__()
        self.tasks, self.sizes, self.batch_size = tasks, (shots, queries), batch_size

    def train_dataloader(self):
        return DataLoader(Sines(self.tasks, *self.sizes, seed=1), self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(Sines(self.tasks // 10, *self.sizes, seed=2), self.batch_size)

    def test_dataloader(self):
        return DataLoader(Sines(self.tasks // 10, *self.sizes, seed=3), self.batch_size)
