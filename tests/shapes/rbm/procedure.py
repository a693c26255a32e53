"""Persistent contrastive divergence: the chains go on from batch to batch."""

import torch

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Algorithm 1.

    Args:
        chains: M.
        k: Gibbs steps for an update.
    """

    def __init__(self, chains: int, k: int, **parts):
        super().__init__(**parts)
        self.k = k
        self.register_buffer("chain", torch.bernoulli(torch.full((chains, len(self.model.a)), 0.5)))

    def step(self, batch, metrics):
        (v,) = batch
        metrics.update(self.model.reconstruct(v).detach(), v)
        if self.training:
            self.chain = self.model.gibbs(self.chain, self.k)
        return self.loss(self.model(v), self.model(self.chain))
