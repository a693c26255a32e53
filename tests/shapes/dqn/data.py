"""A corridor of seven cells."""

import lightning as L
import torch
from torch.utils.data import DataLoader, TensorDataset


class Corridor:
    """Right to the end: 1. Left end: 0."""

    def reset(self):
        self.at, self.time = 3, 0
        return self.state()

    def state(self):
        return torch.eye(7)[self.at]

    def step(self, action):
        self.at, self.time = self.at + (1 if action else -1), self.time + 1
        done = self.at in (0, 6) or self.time == 30
        return self.state(), float(self.at == 6), done


class PaperDataModule(L.LightningDataModule):
    """Nothing but the number of moves in an epoch: PaperProcedure plays them."""

    def __init__(self, moves: int):
        super().__init__()
        self.moves = moves

    def train_dataloader(self):
        return DataLoader(TensorDataset(torch.zeros(self.moves)), 1)

    def test_dataloader(self):
        return DataLoader(TensorDataset(torch.zeros(1)), 1)
