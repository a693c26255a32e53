"""Equation (1)."""

import torch.nn.functional as F
from torch import nn


class PaperLoss(nn.Module):
    """Labels, and the teacher's soft labels."""

    def __init__(self, temperature: float, share: float):
        super().__init__()
        self.temperature, self.share = temperature, share

    def forward(self, logits, labels, soft=None):
        hard = F.cross_entropy(logits, labels)
        if soft is None:
            return {"loss": hard}
        t = self.temperature
        kl = F.kl_div((logits / t).log_softmax(1), (soft / t).softmax(1), reduction="batchmean") * t * t
        return {"loss": (1 - self.share) * hard + self.share * kl}
