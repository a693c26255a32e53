"""Binary cross-entropy."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """Mean over bits, Equation (2)."""

    def forward(self, logits: Tensor, bits: Tensor) -> dict[str, Tensor]:
        return {"loss": F.binary_cross_entropy_with_logits(logits, bits)}
