"""The residual of the equation and of its initial values."""

import torch
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """u'' + 0.4 u' + 4 u = 0, Equation (1), with u(0) = 1 and u'(0) = 0, Equation (2).

    Args:
        initial: weight of Equation (2).

    Shapes:
        model: t (N, 1) -> u (N, 1); t (N, 1) float; returns scalars.
    """

    def __init__(self, initial: float):
        super().__init__()
        self.initial = initial

    def forward(self, model: nn.Module, t: Tensor) -> dict[str, Tensor]:
        u, du, ddu = self.derivatives(model, t)
        residual = (ddu + 0.4 * du + 4 * u).square().mean()
        u0, du0, _ = self.derivatives(model, torch.zeros_like(t[:1]))
        initial = ((u0 - 1).square() + du0.square()).sum()
        return {"loss": residual + self.initial * initial, "residual": residual, "initial": initial}

    @staticmethod
    def derivatives(model: nn.Module, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        t = t.detach().requires_grad_()
        u = model(t)
        (du,) = torch.autograd.grad(u.sum(), t, create_graph=True)
        (ddu,) = torch.autograd.grad(du.sum(), t, create_graph=True)
        return u, du, ddu
