"""How the paper measures its results."""

import copy
import math

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

from .data import Spring


class EnergyError(Metric):
    """MSE between the true total energy and that along the trajectories a model predicts, Section 3.1.

    The true energy is that of the start. The system does not forget it; integrating the truth would only add error.

    Args:
        spring: the system.
        starts: S, trajectories; each coordinate of a start is uniform in ±``span``, then moved by ``gap`` from 0.
        groups: G, of equal size; the standard error is that of their means.
        duration, points: the true times, ``points`` of them in [0, ``duration``].
        stretch: of the model's times over the true ones.
        tolerance: of RK45, relative and absolute.
        seed: of the starts.

    Shapes:
        updated with a model whose field is (S, 2) -> (S, 2); computes scalars ``energy`` and ``energy_stderr``.
    """

    def __init__(
        self,
        spring: Spring,
        starts: int,
        span: float,
        gap: float,
        groups: int,
        duration: float,
        points: int,
        stretch: float,
        tolerance: float,
        seed: int,
    ):
        super().__init__()
        self.spring, self.groups, self.tolerance = spring, groups, tolerance
        self.t = np.linspace(0, stretch * duration, points)
        x = np.random.default_rng(seed).uniform(-span, span, size=(starts, 2))
        self.start = x + gap * np.sign(x)
        self.add_state("errors", torch.zeros(starts, dtype=torch.float64), dist_reduce_fx="mean")

    def update(self, model: nn.Module) -> None:
        energy = self.spring.energy(self.rollout(model))  # (T, S, 2) -> (T, S)
        self.errors = (energy - energy[0]).square().mean(dim=0).to(self.errors)

    def compute(self) -> dict[str, Tensor]:
        means = self.errors.view(self.groups, -1).mean(dim=1)  # (S,) -> (G,)
        return {"energy": means.mean(), "energy_stderr": means.std() / math.sqrt(self.groups)}

    @torch.no_grad()
    def rollout(self, model: nn.Module) -> Tensor:
        """The trajectories that ``model`` predicts from the starts, all in one system: (T, S, 2)."""
        # float32 does not resolve a tolerance of 1e-9: its rounding would set the step size
        model = copy.deepcopy(model).cpu().double().eval()

        def field(t: float, x: np.ndarray) -> np.ndarray:
            return model(torch.from_numpy(x).view(-1, 2)).flatten().numpy()

        tolerances = {"rtol": self.tolerance, "atol": self.tolerance}
        solution = solve_ivp(field, self.t[[0, -1]], self.start.ravel(), "RK45", self.t, **tolerances)
        return torch.from_numpy(solution.y.T).reshape(len(self.t), -1, 2)  # (2·S, T) -> (T, S, 2)


class PaperMetrics(MetricCollection):
    """The energy column of Table 1. Its loss column is ``PaperLoss`` itself. Arguments as ``EnergyError``."""

    def __init__(self, **settings):
        super().__init__({"energy": EnergyError(**settings)})
