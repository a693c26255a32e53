"""The objective, Section 2."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """Cross-entropy of the labelled samples, and λ times the distance J to the teacher, Equation (1).

    Logits and those of the teacher (B, K), labels (B,) with -1 where there is none.
    """

    def __init__(self, consistency_weight: float):
        super().__init__()
        self.consistency_weight = consistency_weight

    def forward(self, logits: Tensor, labels: Tensor, teacher: Tensor) -> dict[str, Tensor]:
        supervised = F.cross_entropy(logits, labels, ignore_index=-1)
        consistency = F.mse_loss(logits.softmax(1), teacher.softmax(1))
        loss = supervised + self.consistency_weight * consistency
        return {"loss": loss, "supervised": supervised, "consistency": consistency}
