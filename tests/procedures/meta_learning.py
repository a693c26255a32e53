"""A gradient through a gradient step, in training and in measuring."""

import torch
from torch import Tensor
from torch.func import functional_call
from torchmetrics import MetricCollection

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Model-agnostic meta-learning; Finn et al. 2017, Algorithm 1. Consecutive images of a batch are a task.

    What is learned of an image depends on its task: ``facts.batch_interaction`` in ``configs/paper.yaml`` is ``any``.

    Args:
        inner_lr: α.
        shots: images of a task that the model adapts to, and as many others to measure it on.
        **parts: as ``Procedure``.
    """

    def __init__(self, inner_lr: float = 0.1, shots: int = 8, **parts):
        super().__init__(**parts)
        self.inner_lr, self.shots = inner_lr, shots

    @torch.enable_grad()  # also where Lightning measures
    def step(self, batch: tuple[Tensor, Tensor], metrics: MetricCollection) -> dict[str, Tensor]:
        terms = []
        for images, labels in zip(*(part.split(2 * self.shots) for part in batch), strict=True):
            if (shots := min(self.shots, len(images) - 1)) == 0:
                continue  # one image left over is no task
            weights = dict(self.model.named_parameters())
            support = self.loss(self.model(images[:shots]), labels[:shots])["loss"]
            gradients = torch.autograd.grad(support, list(weights.values()), create_graph=True)
            fast = {name: w - self.inner_lr * g for (name, w), g in zip(weights.items(), gradients, strict=True)}
            logits = functional_call(self.model, fast, (images[shots:],))
            metrics.update(logits.detach(), labels[shots:])
            terms.append({**self.loss(logits, labels[shots:]), "support": support})
        return {name: torch.stack([term[name] for term in terms]).mean() for name in terms[0]}
