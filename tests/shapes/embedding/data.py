"""The points and their affinities."""

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


def affinities(x: Tensor, perplexity: float) -> Tensor:
    """The symmetric P of Section 3.1 for points (N, D): each row's bandwidth is found by bisection."""
    distances = torch.cdist(x, x).square()
    low, high = torch.zeros(len(x), 1), torch.full((len(x), 1), 10.0)
    for _ in range(50):
        beta = (low + high) / 2
        p = (-beta * distances).fill_diagonal_(-torch.inf).softmax(1)
        entropy = torch.special.entr(p).sum(1, keepdim=True)
        wide = entropy > torch.tensor(perplexity).log()
        low, high = torch.where(wide, beta, low), torch.where(wide, high, beta)
    return (p + p.T) / (2 * len(x))


class PaperDataModule(L.LightningDataModule):
    """The first N digits of scikit-learn: their affinities are embedded, their labels only measure the map.

    Args:
        points: N.
        perplexity: effective number of neighbours.
    """

    def __init__(self, points: int, perplexity: float):
        super().__init__()
        self.points, self.perplexity = points, perplexity

    def setup(self, stage=None):
        pixels, labels = load_digits(return_X_y=True)
        self.labels = torch.tensor(labels[: self.points])
        self.p = affinities(torch.tensor(pixels[: self.points] / 16, dtype=torch.float32), self.perplexity)

    def train_dataloader(self):
        return DataLoader(TensorDataset(self.p), self.points)

    def test_dataloader(self):
        return DataLoader(TensorDataset(self.labels), self.points)
