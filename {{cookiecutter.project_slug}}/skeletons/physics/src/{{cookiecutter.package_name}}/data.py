"""The data: the problem, and the points at which it is posed."""

import math
from dataclasses import dataclass

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.quasirandom import SobolEngine
from torch.utils.data import DataLoader, Dataset


@dataclass
class Burgers:
    """The viscous Burgers equation u_t + u·u_x = ν·u_xx, with u(0, x) = -sin(πx) and u(t, ±1) = 0.

    The problem of Raissi et al. 2019, there with ν = 0.01/π: a wave that steepens at x = 0 within t = 1/π, to a layer
    of width about ν.

    TODO(paper): the paper's equation, domain, initial and boundary conditions, and its reference solution.

    Args:
        viscosity: ν > 0.

    Shapes:
        points (t, x) in [0, 1] × [-1, 1] (…, 2) float; values of u (…) float.
    """

    viscosity: float

    def initial(self, x: Tensor) -> Tensor:
        """u at t = 0: (…) -> (…)."""
        return -torch.sin(math.pi * x)

    def boundary(self, t: Tensor) -> Tensor:
        """u at x = ±1: (…) -> (…)."""
        return torch.zeros_like(t)

    def exact(self, points: Tensor, order: int = 100) -> Tensor:
        """u by the Cole-Hopf transform, u = -2ν·φ_x / φ with φ_t = ν·φ_xx: (…, 2) -> (…).

        φ is the convolution of φ(0, x) = exp(-cos(πx) / (2πν)) with the heat kernel, a Gauss-Hermite quadrature of
        ``order`` points. In float32 it is less exact than a network may be: give points in float64.
        """
        nodes, weights = (torch.from_numpy(part).to(points) for part in np.polynomial.hermite.hermgauss(order))
        t, x = points.unbind(-1)
        y = x[..., None] - (4 * self.viscosity * t).sqrt()[..., None] * nodes  # (…) -> (…, order)
        # φ(0, y) spans exp(±1 / (2πν)): its logarithm does not overflow
        share = torch.softmax(weights.log() - torch.cos(math.pi * y) / (2 * math.pi * self.viscosity), dim=-1)
        return (share * self.initial(y)).sum(-1)  # (…, order) -> (…)


class Points(Dataset):
    """Tensors of N rows by name, indexed a whole batch at a time, which is much faster than row by row."""

    def __init__(self, tensors: dict[str, Tensor]):
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.tensors["inside"])

    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        return {name: tensor[indices] for name, tensor in self.tensors.items()}


def _as_it_is(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    return batch


class PaperDataModule(L.LightningDataModule):
    """Points inside the domain, at its start and on its boundary, as many of each.

    Those of training and validation are of one scrambled Sobol sequence, which fills the domain more evenly than random
    points do; those of test are a regular grid. Neither depends on the seed of the run, so that every seed is tested
    on the same points. Validation and test know the exact solution inside, training does not.

    TODO(paper): the paper's points, and how many.

    Args:
        problem: the equation, with its conditions and its exact solution.
        batch_size: B, per process.
        train_size, val_size: N, points of each kind.
        test_grid: the times in [0, 1] and the places in [-1, 1] of the grid; its points are their pairs.
        points_seed: the seed of the points; another one makes another benchmark.

    Shapes:
        batches by name of points (t, x) ``inside``, ``initial`` and ``boundary`` (B, 2) float each; in validation and
        test also ``exact``, u at ``inside`` (B,) float.
    """

    def __init__(
        self,
        problem: Burgers,
        batch_size: int,
        train_size: int,
        val_size: int,
        test_grid: tuple[int, int],
        points_seed: int = 0,
    ):
        super().__init__()
        self.problem, self.batch_size, self.points_seed = problem, batch_size, points_seed
        self.train_size, self.val_size, self.test_grid = train_size, val_size, tuple(test_grid)

    def setup(self, stage: str | None = None) -> None:
        grid = self.grid().flatten(0, 1)  # (T, X, 2) -> (T·X, 2)
        sizes = [self.train_size, self.val_size, len(grid)]
        sobol = SobolEngine(5, scramble=True, seed=self.points_seed).draw(sum(sizes), dtype=torch.float64)
        train, val, test = sobol.split(sizes)  # (N, 5) each
        self.train = self._points(train)
        self.val = self._points(val, solved=True)
        self.test = self._points(test, solved=True, inside=grid)

    def grid(self) -> Tensor:
        """The points of test by time and place: (T, X, 2) double."""
        times, places = self.test_grid
        t = torch.linspace(0, 1, times, dtype=torch.float64)
        x = torch.linspace(-1, 1, places, dtype=torch.float64)
        return torch.cartesian_prod(t, x).view(times, places, 2)  # (T·X, 2) -> (T, X, 2)

    def _points(self, sobol: Tensor, solved: bool = False, inside: Tensor | None = None) -> Points:
        t, x, x_initial, t_boundary, side = sobol.unbind(-1)  # (N,) each, in [0, 1)
        if inside is None:
            inside = torch.stack([t, 2 * x - 1], dim=-1)  # (N, 2)
        points = {
            "inside": inside,
            "initial": torch.stack([torch.zeros_like(t), 2 * x_initial - 1], dim=-1),  # (N, 2)
            "boundary": torch.stack([t_boundary, 2 * side.round() - 1], dim=-1),  # (N, 2)
        }
        if solved:
            points["exact"] = self.problem.exact(inside)
        return Points({name: tensor.float() for name, tensor in points.items()})

    def train_dataloader(self) -> DataLoader:
        return self._loader(self.train, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return self._loader(self.val)

    def test_dataloader(self) -> DataLoader:
        return self._loader(self.test)

    def _loader(self, points: Points, shuffle: bool = False) -> DataLoader:
        return DataLoader(points, self.batch_size, shuffle=shuffle, collate_fn=_as_it_is)
