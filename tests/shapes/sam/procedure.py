"""Algorithm 1: a step from where the loss is largest nearby."""

import torch

from .harness.procedure import Procedure


class SAM(torch.optim.SGD):
    """Equation (2)."""

    def __init__(self, params, lr, rho=0.05):
        super().__init__(params, lr=lr, momentum=0.9)
        self.rho = rho

    @torch.no_grad()
    def step(self, closure):
        closure = torch.enable_grad()(closure)
        loss = closure()
        parameters = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        norm = torch.stack([p.grad.norm() for p in parameters]).norm() + 1e-12
        moves = [p.grad * self.rho / norm for p in parameters]
        for p, move in zip(parameters, moves, strict=True):
            p.add_(move)
        closure()
        for p, move in zip(parameters, moves, strict=True):
            p.sub_(move)
        super().step()
        return loss


class PaperProcedure(Procedure):
    """Algorithm 1."""

    def step(self, batch, metrics):
        x, y = batch
        logits = self.model(x)
        metrics.update(logits, y)
        return self.loss(logits, y)
