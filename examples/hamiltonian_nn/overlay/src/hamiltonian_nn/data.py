"""The data: observations of an ideal mass-spring system, Section 3, Task 1."""

import math
from dataclasses import dataclass

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader


@dataclass
class Spring:
    """The system: H(q, p) = k q² / 2 + p² / (2 m), Section 3, Task 1.

    Args:
        k: spring constant.
        m: mass.

    Shapes:
        states x = (q, p) (…, 2) float.
    """

    k: float
    m: float

    def energy(self, x: Tensor) -> Tensor:
        """H at ``x``: (…, 2) -> (…)."""
        q, p = x[..., 0], x[..., 1]
        return self.k * q**2 / 2 + p**2 / (2 * self.m)

    def field(self, x: Tensor) -> Tensor:
        """(dq/dt, dp/dt) = (∂H/∂p, -∂H/∂q) at ``x``, Section 2: (…, 2) -> (…, 2)."""
        q, p = x.unbind(-1)
        return torch.stack([p / self.m, -self.k * q], dim=-1)

    def flow(self, x: Tensor, t: Tensor) -> Tensor:
        """Exactly where ``x`` is after the times ``t``: (N, 2), (T,) -> (N, T, 2)."""
        q, p = x[:, None].unbind(-1)  # (N, 1) each
        impedance, phase = math.sqrt(self.k * self.m), math.sqrt(self.k / self.m) * t
        cos, sin = phase.cos(), phase.sin()
        return torch.stack([q * cos + p / impedance * sin, p * cos - impedance * q * sin], dim=-1)


class PaperDataModule(L.LightningDataModule):
    """Noisy observations x̃ of trajectories, and the true time derivatives at the states that were observed.

    We do not have the paper's sample, so the seed of the run draws one: the spread over seeds then covers the sample as
    well as the initial weights. ``data.seed=7`` keeps one sample for all seeds.

    Every batch is the whole training set. There is no validation set, for nothing is selected.

    Args:
        spring: the system.
        trajectories: N, of training, and as many of test.
        observations: T, of one trajectory, at equal intervals.
        duration: time of the last observation.
        radius: range of the uniform initial distance from the origin; null where ``energy`` is given.
        energy: range of the uniform total energy; null where ``radius`` is given.
        noise_std: standard deviation of the Gaussian noise on each coordinate.
        seed: of the sample.
        steps_per_epoch: how often the batch is repeated in what Lightning calls an epoch.

    Shapes:
        batches of x̃ (N·T, 2) float and dx/dt (N·T, 2) float.
    """

    def __init__(
        self,
        spring: Spring,
        trajectories: int,
        observations: int,
        duration: float,
        radius: tuple[float, float] | None,
        energy: tuple[float, float] | None,
        noise_std: float,
        seed: int,
        steps_per_epoch: int,
    ):
        super().__init__()
        if (radius is None) == (energy is None):
            raise ValueError("Either the initial radius or the energy is drawn: set one of them, and the other to null")
        self.spring, self.trajectories, self.observations, self.duration = spring, trajectories, observations, duration
        self.radius, self.energy, self.noise_std = radius, energy, noise_std
        self.seed, self.steps_per_epoch = seed, steps_per_epoch

    def setup(self, stage: str | None = None) -> None:
        generator = torch.Generator().manual_seed(self.seed)
        self.train, self.test = self._sample(generator), self._sample(generator)

    def _sample(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        def uniform(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(self.trajectories, generator=generator, dtype=torch.float64)

        angle = uniform(0, 2 * math.pi)
        start = torch.stack([angle.cos(), angle.sin()], dim=-1)  # (N, 2)
        if self.radius is not None:
            start *= uniform(*self.radius)[:, None]
        else:  # energy is quadratic in the state
            start *= (uniform(*self.energy) / self.spring.energy(start)).sqrt()[:, None]
        t = torch.linspace(0, self.duration, self.observations, dtype=torch.float64)
        x = self.spring.flow(start, t).flatten(0, 1)  # (N, T, 2) -> (N·T, 2)
        noise = self.noise_std * torch.randn(x.shape, generator=generator, dtype=torch.float64)
        return (x + noise).float(), self.spring.field(x).float()

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.steps_per_epoch * [self.train], batch_size=None)

    def test_dataloader(self) -> DataLoader:
        return DataLoader([self.test], batch_size=None)
