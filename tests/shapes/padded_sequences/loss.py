"""The objective, Equation (2)."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """Mean cross-entropy of the tokens where mask (B, T) holds; logits (B, T, K), tags (B, T). Equation (2)."""

    def forward(self, logits: Tensor, tags: Tensor, mask: Tensor) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(logits[mask], tags[mask])}  # (B, T, K) -> (tokens, K)
