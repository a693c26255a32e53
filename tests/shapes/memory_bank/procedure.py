"""Shape: metric learning with a momentum encoder and a queue of earlier keys, both state that no gradient reaches."""

import torch
import torch.nn.functional as F

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Momentum contrast, Algorithm 1; measured by finding the other view of an image, Section 4.

    Args:
        momentum: m, of the key encoder.
    """

    def __init__(self, momentum: float, **parts):
        super().__init__(**parts)
        self.momentum = momentum

    def training_step(self, batch, batch_idx):
        with torch.no_grad():
            for k, q in zip(self.model.slow.parameters(), self.model.fast.parameters(), strict=True):
                k.lerp_(q, 1 - self.momentum)  # Equation (2)
            keys = F.normalize(self.model.slow(batch["key"]), dim=1)
        queries = self.model(batch["query"])
        loss = self.loss(queries, keys, self.model.queue)["loss"]
        self.model.enqueue(keys)
        self.log("train/loss", loss.detach())
        return loss

    def validation_step(self, batch, batch_idx):
        self.val_metrics.update(self.model(batch["query"]), self.model(batch["key"]))

    def test_step(self, batch, batch_idx):
        self.test_metrics.update(self.model(batch["query"]), self.model(batch["key"]))
