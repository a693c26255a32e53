"""A gradient through a gradient step, in training and in measuring."""

import torch
from torch import Tensor
from torch.func import functional_call
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Model-agnostic meta-learning; Finn et al. 2017, Algorithm 1, with the halves of a batch as support and query."""

    def __init__(self, inner_lr: float = 0.1, **parts):
        super().__init__(**parts)
        self.inner_lr = inner_lr

    @torch.enable_grad()  # also where Lightning measures
    def step(self, batch: tuple[Tensor, Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        images, labels = batch
        half = (len(images) + 1) // 2
        weights = dict(self.model.named_parameters())
        support = self.loss(self.model(images[:half]), labels[:half])["loss"]
        gradients = torch.autograd.grad(support, list(weights.values()), create_graph=True)
        fast = {name: w - self.inner_lr * g for (name, w), g in zip(weights.items(), gradients, strict=True)}
        logits = functional_call(self.model, fast, (images[half - 1 :],))
        metrics.update(logits.detach(), labels[half - 1 :])
        return {**self.loss(logits, labels[half - 1 :]), "support": support}
