"""The objective: what the paper minimises."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .data import Burgers


class PaperLoss(nn.Module):
    """What is left of the equation and of its conditions: L = L_residual + λ_initial·L_initial + λ_boundary·L_boundary.

    Each term is a mean square over its own points (Raissi et al. 2019, there without weights).

    TODO(paper): the paper's objective, as in Equation (…).

    Args:
        problem: the equation, with its conditions.
        initial_weight: λ_initial ≥ 0.
        boundary_weight: λ_boundary ≥ 0.

    Shapes:
        u from points (t, x) (B, 2) to values (B,), float; points by name (B, 2) float each; returns scalars.
    """

    def __init__(self, problem: Burgers, initial_weight: float, boundary_weight: float):
        super().__init__()
        self.problem, self.initial_weight, self.boundary_weight = problem, initial_weight, boundary_weight

    def forward(self, u: Callable[[Tensor], Tensor], points: dict[str, Tensor]) -> dict[str, Tensor]:
        """The terms of the loss by name, their total under ``loss``."""
        start, edge = points["initial"], points["boundary"]
        residual = self.residual(u, points["inside"]).square().mean()
        initial = (u(start) - self.problem.initial(start[:, 1])).square().mean()
        boundary = (u(edge) - self.problem.boundary(edge[:, 0])).square().mean()
        # TODO(paper): add the paper's further terms here, such as measurements, and name each in the dict.
        loss = residual + self.initial_weight * initial + self.boundary_weight * boundary
        return {"loss": loss, "residual": residual, "initial": initial, "boundary": boundary}

    @torch.enable_grad()  # validation and test differentiate too
    def residual(self, u: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
        """u_t + u·u_x - ν·u_xx at ``points``, by automatic differentiation: (B, 2) -> (B,)."""
        points = points.detach().requires_grad_()
        values = u(points)
        # A point's value depends on no other point, so that the gradient of the sum has each one's own
        (gradient,) = torch.autograd.grad(values.sum(), points, create_graph=True)
        u_t, u_x = gradient.unbind(-1)  # (B, 2) -> (B,), (B,)
        (gradient,) = torch.autograd.grad(u_x.sum(), points, create_graph=True)
        u_xx = gradient[:, 1]  # (B, 2) -> (B,)
        return u_t + values * u_x - self.problem.viscosity * u_xx
