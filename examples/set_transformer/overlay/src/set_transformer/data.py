"""The data: random sets and the largest element of each, drawn anew for each step."""

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

TRAIN, TEST = 0, 1


class Sets(Dataset):
    """Batches of sets, each a function of its number alone, so that none has to be kept.

    All sets of a batch have the same size n, uniform in {1, …, ``largest``}; elements are independent and uniform in
    [0, ``high``], supplement, Section 2.1.

    Args:
        count: batches.
        stream: what tells these random numbers from others; a seed and the split.
        batch_size: B.
        largest: most elements of a set.
        high: largest element.
        in_turn: let n go through all sizes in turn instead of drawing it.

    Shapes:
        an item is sets (B, n, 1) float and their largest elements (B,) float.
    """

    def __init__(
        self, count: int, stream: tuple[int, int], batch_size: int, largest: int, high: float, in_turn: bool = False
    ):
        self.count, self.stream, self.in_turn = count, stream, in_turn
        self.batch_size, self.largest, self.high = batch_size, largest, high

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        if not 0 <= number < self.count:
            raise IndexError(number)
        random = np.random.default_rng([*self.stream, number])
        n = 1 + number % self.largest if self.in_turn else random.integers(1, self.largest, endpoint=True)
        X = torch.from_numpy(random.uniform(0, self.high, (self.batch_size, n, 1))).float()
        return X, X.amax((1, 2))  # (B, n, 1) -> (B,)


class PaperDataModule(L.LightningDataModule):
    """Fresh sets at each step, and others for the test; no validation, for nothing is selected.

    Args:
        steps: batches of the training, none of them twice.
        test_batches: of the test, as many of each size; the same for each seed.
        seed: of the training batches.
        settings: of ``Sets``: batch_size, largest, high.
    """

    def __init__(self, steps: int, test_batches: int, seed: int, **settings):
        super().__init__()
        self.train = Sets(steps, (TRAIN, seed), **settings)
        self.test = Sets(test_batches, (TEST, 0), **settings, in_turn=True)

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, batch_size=None)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, batch_size=None)
