"""An inverse problem."""

import lightning as L
import torch
from torch.utils.data import DataLoader, TensorDataset


class PaperDataModule(L.LightningDataModule):
    """x = t + 0.3 sin(2πt) + ε; t is to be found from x; 1,000, 200 and 500 pairs."""

    def __init__(self, batch_size: int):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str | None = None) -> None:
        draw = torch.Generator().manual_seed(0)
        t = torch.rand(1700, 1, generator=draw)
        x = t + 0.3 * torch.sin(2 * torch.pi * t) + 0.1 * (torch.rand(1700, 1, generator=draw) - 0.5)
        self.train, self.val, self.test = (
            TensorDataset(*pair) for pair in zip(x.split([1000, 200, 500]), t.split([1000, 200, 500]), strict=True)
        )

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, self.batch_size)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, self.batch_size)
