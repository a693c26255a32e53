"""The objective: what the paper minimises."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """Cross entropy, Section 4.

    Shapes:
        logits (B, K) float, answers (B,) long; returns scalars.
    """

    def forward(self, logits: Tensor, answers: Tensor) -> dict[str, Tensor]:
        """The terms of the loss by name, their total under ``loss``."""
        return {"loss": F.cross_entropy(logits, answers)}
