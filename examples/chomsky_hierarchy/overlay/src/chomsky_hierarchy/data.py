"""The data: strings of a regular language, drawn as they are needed, Appendix A.3."""

from collections.abc import Callable
from dataclasses import dataclass

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset


def parity_check(strings: Tensor) -> Tensor:
    """Parity Check, Appendix A.3: 1 where the number of b's, symbol 1, is even, else 0: (B, T) -> (B,)."""
    return (strings.sum(dim=1) + 1) % 2


def cycle_navigation(strings: Tensor) -> Tensor:
    """Cycle Navigation, Appendix A.3: where the moves 0: stay, 1: +1, 2: -1 end on a cycle of 5: (B, T) -> (B,)."""
    return torch.tensor([0, 1, -1])[strings].sum(dim=1) % 5


@dataclass(frozen=True)
class Task:
    """A task on strings.

    Args:
        answer: strings (B, T) long, symbols 0 … ``symbols`` - 1, to answers (B,) long, 0 … ``classes`` - 1.
    """

    answer: Callable[[Tensor], Tensor]
    symbols: int
    classes: int


TASKS = {
    "parity_check": Task(parity_check, symbols=2, classes=2),
    "cycle_navigation": Task(cycle_navigation, symbols=3, classes=5),
}


class Strings(Dataset):
    """Batches of random strings of one length each, and their answers; behind each string one empty token.

    A batch is drawn when it is asked for, by the seed and its number alone.

    Args:
        task: what is asked of them.
        size: B.
        lengths: that of each batch, or those that it is drawn from, uniformly.
        count: batches of drawn lengths; None for one batch of each length, in order.
        seed: of the strings.
    """

    def __init__(self, task: Task, size: int, lengths: range, count: int | None, seed: tuple[int, ...]):
        self.task, self.size, self.lengths, self.count, self.seed = task, size, lengths, count, seed

    def __len__(self) -> int:
        return self.count or len(self.lengths)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        if number >= len(self):
            raise IndexError(f"batch {number} of {len(self)}")
        draw = np.random.default_rng((*self.seed, number))
        length = self.lengths[draw.integers(len(self.lengths)) if self.count else number]
        strings = torch.from_numpy(draw.integers(self.task.symbols, size=(self.size, length)))  # (B, T)
        empty = torch.full((self.size, 1), self.task.symbols)
        return torch.cat([strings, empty], dim=1), self.task.answer(strings)  # -> (B, T + 1), (B,)


class PaperDataModule(L.LightningDataModule):
    """Strings for training, one length a batch, and longer ones for test: nothing is stored, and none seen twice.

    Validation has the lengths of training: it says whether a task is learned, and nothing of the test.

    Args:
        task: ``parity_check`` or ``cycle_navigation``.
        batch_size: B, of training.
        train_lengths: first and last of the lengths, of which each batch draws one.
        test_lengths: first and last of the lengths, each of which is one batch.
        test_size: strings of each length in validation and test.
        iterations: batches of training.
        seed: of the strings.

    Shapes:
        batches of tokens (B, T + 1) long, the last one empty, and answers (B,) long.
    """

    def __init__(
        self,
        task: str,
        batch_size: int,
        train_lengths: tuple[int, int],
        test_lengths: tuple[int, int],
        test_size: int,
        iterations: int,
        seed: int,
    ):
        super().__init__()
        train, test = (range(first, last + 1) for first, last in (train_lengths, test_lengths))
        self.train = Strings(TASKS[task], batch_size, train, iterations, seed=(seed, 0))
        self.test = Strings(TASKS[task], test_size, test, None, seed=(seed, 1))
        self.val = Strings(TASKS[task], test_size, train, None, seed=(seed, 2))

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, batch_size=None)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, batch_size=None)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, batch_size=None)
