"""The objective, Equation (2)."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """Cross-entropy of logits (G, K) and classes (G,), the mean over graphs."""

    def forward(self, logits: Tensor, classes: Tensor) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(logits, classes)}
