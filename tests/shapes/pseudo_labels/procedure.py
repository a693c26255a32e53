"""Shape: batches of training are not those of validation: labelled and unlabelled images, drawn side by side."""

import torch
import torch.nn.functional as F

from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Pseudo-labels where the model is sure, Equation (4).

    Args:
        weight: of the unlabelled term.
        threshold: of the largest probability.
    """

    def __init__(self, weight: float, threshold: float, **parts):
        super().__init__(**parts)
        self.weight, self.threshold = weight, threshold

    def step(self, batch, metrics):
        x, labels = batch["labelled"] if self.training else batch
        logits = self.model(x)
        metrics.update(logits, labels)
        terms = self.loss(logits, labels)
        if not self.training:
            return terms
        (u,) = batch["unlabelled"]
        with torch.no_grad():
            sure, guess = self.model(u).softmax(1).max(1)
        strong = self.model(u + 0.1 * torch.randn_like(u))
        pseudo = (F.cross_entropy(strong, guess, reduction="none") * (sure > self.threshold)).mean()
        return {"loss": terms["loss"] + self.weight * pseudo, "labelled": terms["loss"], "pseudo": pseudo}

    def weight_of(self, batch):
        return len(batch["labelled"][0] if isinstance(batch, dict) else batch[0])
