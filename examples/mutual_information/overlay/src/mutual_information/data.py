"""The data: pairs of correlated Gaussians, whose mutual information is known and rises in steps."""

import math

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset


def correlation(mi: float, dimension: int) -> float:
    """ρ = √(1 - exp(-2 MI / D)), which solves MI = -D/2 · log(1 - ρ²), for ``mi`` in nats."""
    return math.sqrt(-math.expm1(-2 * mi / dimension))


class Staircase(Dataset):
    """A batch for each iteration, x and ε ~ N(0, I_D), y = ρx + √(1 - ρ²)·ε; arguments as ``PaperDataModule``.

    A batch is drawn when it is asked for, by the seed and its number alone: as many as wanted, and none is kept.
    """

    def __init__(self, levels: list[float], dimension: int, batch_size: int, iterations: int, seed: int):
        self.levels, self.dimension, self.batch_size = levels, dimension, batch_size
        self.iterations, self.seed = iterations, seed

    def __len__(self) -> int:
        return self.iterations

    def __getitem__(self, iteration: int) -> tuple[Tensor, Tensor, Tensor]:
        if iteration >= self.iterations:
            raise IndexError(f"iteration {iteration} of {self.iterations}")
        mi = self.levels[iteration * len(self.levels) // self.iterations]
        rho = correlation(mi, self.dimension)
        # Seeded by both numbers: of one that joins them, torch's own generator reads 32 bits
        draw = np.random.default_rng((self.seed, iteration))
        normal = draw.standard_normal((2, self.batch_size, self.dimension), dtype=np.float32)
        x, noise = torch.from_numpy(normal)  # (2, B, D) -> 2 × (B, D)
        return x, rho * x + math.sqrt(1 - rho**2) * noise, torch.full([self.batch_size], float(mi))


class PaperDataModule(L.LightningDataModule):
    """The staircase. There is no data set: all pairs are drawn for the one batch that they are in, and never again.

    So training on a batch is also how it is measured, before its gradient has changed anything: the result is the
    trace of the training, and there is nothing else to test on. Nothing is chosen by it.

    Args:
        levels: the true mutual information in nats, of equally many iterations each, in this order.
        dimension: D, of x and of y.
        batch_size: B.
        iterations: of all levels together.
        seed: of the pairs.

    Shapes:
        batches of x (B, D) float, y (B, D) float, and the true mutual information (B,) float, B times the same.
    """

    def __init__(self, levels: list[float], dimension: int, batch_size: int, iterations: int, seed: int):
        super().__init__()
        self.train = Staircase(levels, dimension, batch_size, iterations, seed)

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, batch_size=None)

    def test_dataloader(self) -> DataLoader:
        return DataLoader([torch.empty(0)], batch_size=None)  # no pairs: what is tested is there already
