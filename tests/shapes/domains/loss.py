"""Cross-entropy and the distance of covariances."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """Equation (3): cross-entropy plus λ times the CORAL distance of the domains.

    Args:
        weight: λ.
    """

    def __init__(self, weight: float):
        super().__init__()
        self.weight = weight

    def forward(self, features: list[Tensor], logits: list[Tensor], labels: list[Tensor]) -> dict[str, Tensor]:
        entropy = torch.stack([F.cross_entropy(a, b) for a, b in zip(logits, labels, strict=True)]).mean()
        covariances = [f.T.cov() for f in features]
        pairs = [(a - b).square().mean() for i, a in enumerate(covariances) for b in covariances[:i]]
        coral = torch.stack(pairs).mean() if pairs else torch.zeros_like(entropy)
        return {"loss": entropy + self.weight * coral, "entropy": entropy, "coral": coral}
