"""Digits of several clients."""

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset, TensorDataset


class Clients(Dataset):
    """A sample is a client: its images (n, 64) and labels (n,)."""

    def __init__(self, images, labels, clients: int):
        order = labels.sort(stable=True).indices  # each client sees few classes, Section 3
        self.parts = [(images[p], labels[p]) for p in order[: len(order) // clients * clients].chunk(clients)]

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, k):
        return self.parts[k]


class PaperDataModule(L.LightningDataModule):
    """1,200 images on the clients; 297 for validation and 300 for test on the server.

    Args:
        clients: K.
        chosen: of a round.
    """

    def __init__(self, clients: int, chosen: int):
        super().__init__()
        self.clients, self.chosen = clients, chosen

    def setup(self, stage=None):
        digits = load_digits()
        x, y = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target).long()
        train, val, test = torch.randperm(1797, generator=torch.Generator().manual_seed(0)).split([1200, 297, 300])
        self.train = Clients(x[train], y[train], self.clients)
        self.val, self.test = (TensorDataset(x[p], y[p]) for p in (val, test))

    def train_dataloader(self):
        return DataLoader(self.train, self.chosen, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.val, 100)

    def test_dataloader(self):
        return DataLoader(self.test, 100)
