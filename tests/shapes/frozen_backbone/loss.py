"""The objective, Section 3."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """Cross-entropy of logits (B, K) and labels (B,)."""

    def forward(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(logits, labels)}
