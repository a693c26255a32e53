"""Few labelled digits, and many that are turned."""

import lightning as L
import torch
from lightning.pytorch.utilities import CombinedLoader
from sklearn.datasets import load_digits
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


def turned(images: Tensor) -> TensorDataset:
    """All four quarter turns of each image (N, 1, 8, 8), with their number."""
    every = torch.cat([torch.rot90(images, k, (2, 3)) for k in range(4)])  # (4N, 1, 8, 8)
    return TensorDataset(every, torch.arange(4).repeat_interleave(len(images)))


class PaperDataModule(L.LightningDataModule):
    """Digits: 200 labelled for training, 600 turned for training, 300 for validation and the rest for test."""

    def __init__(self, batch_size: int, turn_batch_size: int):
        super().__init__()
        self.batch_sizes = {"digit": batch_size, "turn": turn_batch_size}

    def setup(self, stage: str | None = None) -> None:
        pixels, labels = load_digits(return_X_y=True)
        images = torch.tensor(pixels / 16, dtype=torch.float32).view(-1, 1, 8, 8)
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
        images, labels = images[order], torch.tensor(labels)[order]
        split = {"train": slice(0, 200), "val": slice(800, 1100), "test": slice(1100, None)}
        self.sets = {
            name: {"digit": TensorDataset(images[part], labels[part]), "turn": turned(images[part])}
            for name, part in split.items()
        }
        self.sets["train"]["turn"] = turned(images[200:800])

    def _loaders(self, split: str) -> dict[str, DataLoader]:
        sets = self.sets[split]
        return {task: DataLoader(sets[task], size, shuffle=split == "train") for task, size in self.batch_sizes.items()}

    def train_dataloader(self) -> CombinedLoader:
        return CombinedLoader(self._loaders("train"), "max_size_cycle")

    def val_dataloader(self) -> list[DataLoader]:
        return list(self._loaders("val").values())

    def test_dataloader(self) -> list[DataLoader]:
        return list(self._loaders("test").values())
