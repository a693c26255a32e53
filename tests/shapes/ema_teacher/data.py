"""Few labels, Section 3."""

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler


class PaperDataModule(L.LightningDataModule):
    """Digits: 100 labelled and 900 without a label (-1) for training, 200 for validation, 597 for test."""

    def __init__(self, batch_size: int, labelled: int):
        super().__init__()
        self.batch_size, self.labelled = batch_size, labelled

    def setup(self, stage: str | None = None) -> None:
        pixels, labels = load_digits(return_X_y=True)
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
        x, y = torch.tensor(pixels / 16, dtype=torch.float32)[order], torch.tensor(labels)[order]
        known = y[:1000].where(torch.arange(1000) < self.labelled, -1)
        self.train = TensorDataset(x[:1000], known)
        self.val, self.test = TensorDataset(x[1000:1200], y[1000:1200]), TensorDataset(x[1200:], y[1200:])

    def train_dataloader(self) -> DataLoader:
        labelled = self.train.tensors[1] >= 0
        weights = torch.where(labelled, 1 / labelled.sum(), 1 / (~labelled).sum())  # half of a batch is labelled
        return DataLoader(self.train, self.batch_size, sampler=WeightedRandomSampler(weights.tolist(), len(weights)))

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, self.batch_size)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, self.batch_size)
