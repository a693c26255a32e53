"""The objective, Equation (1)."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """Binary cross-entropy of logits (B,) and labels (B,) float."""

    def forward(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"loss": F.binary_cross_entropy_with_logits(logits, labels)}
