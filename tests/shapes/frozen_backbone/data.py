"""The labelled images, Section 4."""

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Subset, TensorDataset


class PaperDataModule(L.LightningDataModule):
    """The first 1,000 digits, which the backbone has not seen: 500 for training, 150 for validation, 350 for test."""

    def __init__(self, batch_size: int):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str | None = None) -> None:
        images, labels = load_digits().images[:1000] / 16, load_digits().target[:1000]
        every = TensorDataset(torch.tensor(images, dtype=torch.float32)[:, None], torch.tensor(labels))
        order = torch.randperm(1000, generator=torch.Generator().manual_seed(0)).tolist()
        self.train, self.val, self.test = (Subset(every, order[a:b]) for a, b in [(0, 500), (500, 650), (650, 1000)])

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, 150)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, 350)
