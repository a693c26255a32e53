"""Spectra of noisy waves."""

from typing import NamedTuple

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


class Signals(NamedTuple):
    """Spectra (B, F) complex of noisy waves and of the same without noise, form (B,) long and pitch (B,) float."""

    spectrum: Tensor
    clean: Tensor
    form: Tensor
    pitch: Tensor


def draw(size: int, length: int, generator: torch.Generator) -> TensorDataset:
    """Sines, squares and saw teeth of any pitch and phase."""
    pitch, phase = 2 + 4 * torch.rand(size, generator=generator), torch.rand(size, generator=generator)
    turns = (pitch[:, None] * torch.arange(length) / length + phase[:, None]) % 1  # (N, T)
    form = torch.arange(size) % 3
    waves = torch.stack([(2 * torch.pi * turns).sin(), (turns < 0.5) * 2.0 - 1, 2 * turns - 1])  # (3, N, T)
    clean = waves[form, torch.arange(size)]
    noisy = clean + 0.3 * torch.randn(clean.shape, generator=generator)
    spectra, true = (torch.fft.rfft(wave, norm="ortho") for wave in (noisy, clean))  # (N, T) -> (N, F)
    return TensorDataset(spectra, true, form, pitch)


class PaperDataModule(L.LightningDataModule):
    """Waves that are drawn once."""

    def __init__(self, batch_size: int, length: int, sizes: dict[str, int]):
        super().__init__()
        self.batch_size, self.length, self.sizes = batch_size, length, sizes

    def setup(self, stage: str | None = None) -> None:
        generator = torch.Generator().manual_seed(0)
        self.splits = {split: draw(size, self.length, generator) for split, size in self.sizes.items()}

    def _loader(self, split: str) -> DataLoader:
        collate = lambda samples: Signals(*map(torch.stack, zip(*samples, strict=True)))  # noqa: E731
        return DataLoader(self.splits[split], self.batch_size, shuffle=split == "train", collate_fn=collate)

    def train_dataloader(self) -> DataLoader:
        return self._loader("train")

    def val_dataloader(self) -> DataLoader:
        return self._loader("val")

    def test_dataloader(self) -> DataLoader:
        return self._loader("test")
