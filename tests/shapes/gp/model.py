"""A Gaussian process."""

import math

import torch
from torch import Tensor, nn


class PaperModel(nn.Module):
    """Zero mean, squared-exponential kernel, Equation (2.31). Keeps the training set, which its predictions need."""

    def __init__(self):
        super().__init__()
        self.log_length, self.log_scale, self.log_noise = (nn.Parameter(torch.zeros(())) for _ in range(3))
        self.register_buffer("x", torch.zeros(0, 1))
        self.register_buffer("y", torch.zeros(0))

    def kernel(self, a: Tensor, b: Tensor) -> Tensor:
        return (2 * self.log_scale).exp() * torch.exp(-0.5 * (a - b.T).square() / (2 * self.log_length).exp())

    def factor(self, x: Tensor) -> Tensor:
        noise = (2 * self.log_noise).exp() + 1e-8
        return torch.linalg.cholesky(self.kernel(x, x) + noise * torch.eye(len(x), dtype=x.dtype))

    def evidence(self, x: Tensor, y: Tensor) -> Tensor:
        """log p(y | X), Equation (2.30)."""
        factor = self.factor(x)
        alpha = torch.cholesky_solve(y[:, None], factor)[:, 0]
        return -0.5 * y @ alpha - factor.diagonal().log().sum() - 0.5 * len(x) * math.log(2 * math.pi)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance (B,) at x (B, 1), Equations (2.25) and (2.26)."""
        factor, cross = self.factor(self.x), self.kernel(self.x, x)
        mean = cross.T @ torch.cholesky_solve(self.y[:, None], factor)[:, 0]
        half = torch.linalg.solve_triangular(factor, cross, upper=False)
        return mean, (2 * self.log_scale).exp() - half.square().sum(0) + (2 * self.log_noise).exp()
