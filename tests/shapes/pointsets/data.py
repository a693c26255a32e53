"""Clouds of points on three surfaces."""

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader


def cloud(kind: int, draw: torch.Generator) -> Tensor:
    """A set (n, 3) of 20 to 60 points: on a sphere, on a cube, or in a ball."""
    points = torch.randn(int(torch.randint(20, 61, (), generator=draw)), 3, generator=draw)
    if kind == 0:
        return points / points.norm(dim=1, keepdim=True)
    if kind == 1:
        return points / points.abs().amax(1, keepdim=True)
    return points / points.norm(dim=1, keepdim=True) * torch.rand(len(points), 1, generator=draw)


def collate(samples: list[tuple[Tensor, int]]) -> tuple[list[Tensor], Tensor]:
    """Sets of different sizes stay a list."""
    return [points for points, _ in samples], torch.tensor([kind for _, kind in samples])


class PaperDataModule(L.LightningDataModule):
    """600 clouds for training, 150 for validation, 300 for test."""

    def __init__(self, batch_size: int):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str | None = None) -> None:
        draw = torch.Generator().manual_seed(0)
        clouds = [(cloud(i % 3, draw), i % 3) for i in range(1050)]
        self.train, self.val, self.test = clouds[:600], clouds[600:750], clouds[750:]

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, self.batch_size, shuffle=True, collate_fn=collate)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, self.batch_size, collate_fn=collate)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, self.batch_size, collate_fn=collate)
