"""Digits: two new views of each image in training, two fixed ones where features are measured."""

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset


class Views(Dataset):
    """Two views of each image (N, 8, 8), of another brightness and with noise.

    Args:
        images: the images.
        fixed: whether an image has the same views each time.
    """

    def __init__(self, images, fixed: bool):
        self.images, self.fixed = images, fixed

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        draw = torch.Generator().manual_seed(i) if self.fixed else None
        return {name: self.view(self.images[i], draw) for name in ("query", "key")}

    @staticmethod
    def view(image, draw):
        brightness, noise = torch.randn((), generator=draw), torch.randn(8, 8, generator=draw)
        return (image + brightness + 0.1 * noise).flatten()


class PaperDataModule(L.LightningDataModule):
    """1,197 images for training, 300 each for validation and test.

    Args:
        batch_size: B.
        num_workers: of the training.
    """

    def __init__(self, batch_size: int, num_workers: int = 0):
        super().__init__()
        self.batch_size, self.num_workers = batch_size, num_workers

    def setup(self, stage=None):
        images = torch.tensor(load_digits().images / 16, dtype=torch.float32)
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
        train, val, test = images[order].split([1197, 300, 300])
        self.train, self.val, self.test = Views(train, False), Views(val, True), Views(test, True)

    def train_dataloader(self):
        return DataLoader(self.train, self.batch_size, shuffle=True, drop_last=True, num_workers=self.num_workers)

    def val_dataloader(self):
        return DataLoader(self.val, len(self.val))

    def test_dataloader(self):
        return DataLoader(self.test, len(self.test))
