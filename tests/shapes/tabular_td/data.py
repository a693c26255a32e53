"""The moves of the random walk, Section 3."""

import lightning as L
import torch
from torch.utils.data import DataLoader, TensorDataset


class PaperDataModule(L.LightningDataModule):
    """Each move goes left (-1) or right (+1) with equal probability, Section 3.

    Args:
        steps: moves in the whole training.
        batch_size: moves of one batch, taken one after the other.
        seed: of the moves.
    """

    def __init__(self, steps: int, batch_size: int, seed: int):
        super().__init__()
        self.steps, self.batch_size, self.seed = steps, batch_size, seed

    def setup(self, stage=None):
        generator = torch.Generator().manual_seed(self.seed)
        self.moves = 2 * torch.randint(2, (self.steps,), generator=generator) - 1

    def train_dataloader(self):
        parts = self.moves.view(-1, self.batch_size)  # a sample is a batch: to put a thousand together takes long
        return DataLoader(TensorDataset(parts), batch_size=None)

    def test_dataloader(self):
        return DataLoader(TensorDataset(torch.zeros(1)), 1)
