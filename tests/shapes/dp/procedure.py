"""Differentially private SGD."""

import torch
from torch.func import functional_call, grad, vmap

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Algorithm 1: clip the gradient of each sample to norm C, add noise σC, average.

    Args:
        clip: C.
        sigma: σ.
    """

    def __init__(self, clip: float, sigma: float, **parts):
        super().__init__(**parts)
        self.automatic_optimization = False
        self.clip, self.sigma = clip, sigma

    def step(self, batch, metrics):
        x, y = batch
        logits = self.model(x)
        metrics.update(logits.detach(), y)
        return self.loss(logits, y)

    def error(self, weights, x, y):
        return self.loss(functional_call(self.model, weights, (x[None],)), y[None])["loss"]

    def training_step(self, batch, batch_idx):
        x, y = batch
        optimizer = self.optimizers()
        with torch.no_grad():
            self.terms = self.step(batch, self.train_metrics)
        weights = {name: p.detach() for name, p in self.model.named_parameters()}
        grads = vmap(grad(self.error), (None, 0, 0))(weights, x, y)  # each (B, …)
        norms = torch.stack([g.flatten(1).norm(dim=1) for g in grads.values()]).norm(dim=0)  # (B,)
        scale = (self.clip / norms).clamp(max=1)
        for name, p in self.model.named_parameters():
            total = torch.einsum("b,b...->...", scale, grads[name])
            p.grad = (total + self.sigma * self.clip * torch.randn_like(total)) / len(x)
        optimizer.step()
        self.log("train/loss", self.terms["loss"])
