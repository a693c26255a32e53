"""Weighted cross-entropy."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """Equation (2); without weights it is the outer objective, Equation (3)."""

    def forward(self, logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> dict[str, Tensor]:
        each = F.cross_entropy(logits, labels, reduction="none")
        return {"loss": each.mean() if weights is None else (weights * each).mean()}
