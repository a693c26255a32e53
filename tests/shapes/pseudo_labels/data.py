"""Few labels and many images without them."""

import lightning as L
import torch
from lightning.pytorch.utilities import CombinedLoader
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset


class PaperDataModule(L.LightningDataModule):
    """100 images with labels and 1,100 without for training, 200 for validation, 397 for test."""

    def __init__(self, batch_size: int):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str | None = None) -> None:
        digits = load_digits()
        x, y = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
        labelled, rest, val, test = order.split([100, 1100, 200, 397])
        self.labelled, self.rest = TensorDataset(x[labelled], y[labelled]), TensorDataset(x[rest])
        self.val, self.test = TensorDataset(x[val], y[val]), TensorDataset(x[test], y[test])

    def train_dataloader(self) -> CombinedLoader:
        few = DataLoader(self.labelled, self.batch_size, shuffle=True)
        many = DataLoader(self.rest, 4 * self.batch_size, shuffle=True)
        return CombinedLoader({"labelled": few, "unlabelled": many}, "max_size_cycle")

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, self.batch_size)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, self.batch_size)
