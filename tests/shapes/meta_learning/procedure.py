"""Shape: meta-learning. A batch holds tasks; the model adapts to each by itself, also where it is measured."""

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Model-agnostic meta-learning, Algorithm 2.

    Args:
        inner_lr: α.
        inner_steps: gradient steps of the adaptation.
    """

    def __init__(self, inner_lr: float, inner_steps: int, **parts):
        super().__init__(**parts)
        self.inner_lr, self.inner_steps = inner_lr, inner_steps

    def error(self, weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return self.loss(functional_call(self.model, weights, (x,)), y)["loss"]

    def adapted(self, x: Tensor, y: Tensor, query: Tensor) -> Tensor:
        """Predictions for the query (Q, 1) after adaptation to the support (K, 1) of one task, Equation (1)."""
        weights = dict(self.model.named_parameters())
        for _ in range(self.inner_steps):
            slopes = grad(self.error)(weights, x, y)
            weights = {name: w - self.inner_lr * slopes[name] for name, w in weights.items()}
        return functional_call(self.model, weights, (query,))

    @torch.enable_grad()  # Lightning measures without
    def step(self, batch, metrics):
        support, query = batch["support"], batch["query"]
        predictions = vmap(self.adapted)(support["x"], support["y"], query["x"])  # (B, Q, 1)
        metrics.update(predictions.detach().flatten(), query["y"].flatten())
        return self.loss(predictions, query["y"])
