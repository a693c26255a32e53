"""Dark images with bright dots."""

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader


def scene(draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """An image (1, 16, 16) and the rows and columns (n, 2) of its one to six dots."""
    image = 0.1 * torch.randn(1, 16, 16, generator=draw)
    places = torch.randperm(256, generator=draw)[: int(torch.randint(1, 7, (), generator=draw))]
    image[0].view(-1)[places] += 1
    return image, torch.stack([places // 16, places % 16], 1)


def collate(samples: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, list[Tensor]]:
    """Each image has its own number of dots, so these stay a list."""
    return torch.stack([image for image, _ in samples]), [dots for _, dots in samples]


class PaperDataModule(L.LightningDataModule):
    """200 scenes for training, 50 for validation, 50 for test."""

    def __init__(self, batch_size: int):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str | None = None) -> None:
        draw = torch.Generator().manual_seed(0)
        scenes = [scene(draw) for _ in range(300)]
        self.train, self.val, self.test = scenes[:200], scenes[200:250], scenes[250:]

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, self.batch_size, shuffle=True, collate_fn=collate)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, self.batch_size, collate_fn=collate)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, self.batch_size, collate_fn=collate)
