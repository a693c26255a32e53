"""Cross-entropy of the labelled nodes."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """Equation (10): logits (n, K), labels (n,)."""

    def forward(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(logits, labels)}
