"""Five folds, Section 3."""

import lightning as L
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import StratifiedKFold
from torch.utils.data import DataLoader


class Table(torch.utils.data.Dataset):
    """Samples with features (D,) float and label () float."""

    def __init__(self, features, labels):
        self.features, self.labels = (torch.as_tensor(x, dtype=torch.float32) for x in (features, labels))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"features": self.features[index], "label": self.labels[index]}


class PaperDataModule(L.LightningDataModule):
    """Breast tumours: one fold is the test split, the other folds are for training. There is no validation split.

    Args:
        batch_size: B.
        fold: the number of the fold, counted from 0.
        folds: their number.
    """

    def __init__(self, batch_size: int, fold: int, folds: int):
        super().__init__()
        self.batch_size, self.fold, self.folds = batch_size, fold, folds

    def setup(self, stage: str | None = None) -> None:
        x, y = load_breast_cancer(return_X_y=True)
        train, test = list(StratifiedKFold(self.folds, shuffle=True, random_state=0).split(x, y))[self.fold]
        x = (x - x[train].mean(0)) / x[train].std(0)
        self.train, self.test = Table(x[train], y[train]), Table(x[test], y[test])

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, self.batch_size, shuffle=True, drop_last=True)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, self.batch_size)
