"""Digits in four styles."""

import lightning as L
import torch
from lightning.pytorch.utilities import CombinedLoader
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

STYLES = {
    "plain": lambda x: x,
    "turned": lambda x: x.rot90(1, (1, 2)),
    "inverted": lambda x: 1 - x,
    "faint": lambda x: 0.5 * x,
}


class PaperDataModule(L.LightningDataModule):
    """Three styles for training and validation, a fourth for test, as in Section 4; images (1, 8, 8) in [0, 1]."""

    def __init__(self, batch_size: int, left_out: str):
        super().__init__()
        self.batch_size, self.left_out = batch_size, left_out

    def setup(self, stage: str | None = None) -> None:
        pixels, labels = load_digits(return_X_y=True)
        x, y = torch.tensor(pixels, dtype=torch.float32).view(-1, 8, 8) / 16, torch.tensor(labels)
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
        parts = dict(zip(STYLES, order.chunk(4), strict=True))
        sets = {name: (STYLES[name](x[i])[:, None], y[i]) for name, i in parts.items()}
        self.test = TensorDataset(*sets.pop(self.left_out))
        self.train = {name: TensorDataset(x[80:], y[80:]) for name, (x, y) in sets.items()}
        self.val = {name: TensorDataset(x[:80], y[:80]) for name, (x, y) in sets.items()}

    def train_dataloader(self):
        loaders = {name: DataLoader(part, self.batch_size, shuffle=True) for name, part in self.train.items()}
        return CombinedLoader(loaders, "min_size")

    def val_dataloader(self) -> list[DataLoader]:
        return [DataLoader(part, 40) for part in self.val.values()]

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, 40)
