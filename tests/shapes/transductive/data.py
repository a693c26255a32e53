"""A graph of digits: each is joined with its six nearest neighbours."""

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader


class PaperDataModule(L.LightningDataModule):
    """One graph of 300 nodes; all features are known, 60 labels train, 60 validate, 180 test (Section 5.1)."""

    def setup(self, stage: str | None = None) -> None:
        digits = load_digits()
        self.x = torch.tensor(digits.data[:300] / 16, dtype=torch.float32)
        self.y = torch.tensor(digits.target[:300])
        near = torch.cdist(self.x, self.x).topk(7, largest=False).indices
        a = torch.zeros(300, 300).scatter_(1, near, 1.0)
        a = ((a + a.T) > 0).float()  # has the loops, too
        root = a.sum(1).rsqrt()
        self.adjacency = root[:, None] * a * root
        order = torch.randperm(300, generator=torch.Generator().manual_seed(0))
        self.masks = dict(zip(("train", "val", "test"), torch.zeros(3, 300, dtype=torch.bool), strict=True))
        for mask, nodes in zip(self.masks.values(), order.split([60, 60, 180]), strict=True):
            mask[nodes] = True

    def _loader(self, split: str) -> DataLoader:
        graph = {"x": self.x, "adjacency": self.adjacency, "y": self.y, "mask": self.masks[split]}
        return DataLoader([graph], batch_size=None)

    def train_dataloader(self) -> DataLoader:
        return self._loader("train")

    def val_dataloader(self) -> DataLoader:
        return self._loader("val")

    def test_dataloader(self) -> DataLoader:
        return self._loader("test")
