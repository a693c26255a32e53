"""The contrastive objective."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """InfoNCE, Equation (1): each query against its key and the keys of the queue.

    Args:
        temperature: τ.

    Shapes:
        queries, keys (B, D), queue (K, D), all normalised; returns a scalar.
    """

    def __init__(self, temperature: float):
        super().__init__()
        self.temperature = temperature

    def forward(self, queries: Tensor, keys: Tensor, queue: Tensor) -> dict[str, Tensor]:
        logits = torch.cat([(queries * keys).sum(1, keepdim=True), queries @ queue.T], 1)  # (B, 1 + K)
        targets = torch.zeros(len(queries), dtype=torch.long, device=queries.device)
        return {"loss": F.cross_entropy(logits / self.temperature, targets)}
