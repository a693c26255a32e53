"""Cross-entropy of places."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def heat(like: Tensor, dots: list[Tensor]) -> Tensor:
    """One at each dot (B, H, W), zero elsewhere."""
    goal = torch.zeros_like(like)
    for one, places in zip(goal, dots, strict=True):
        one[places[:, 0], places[:, 1]] = 1
    return goal


class PaperLoss(nn.Module):
    """Equation (1): summed over places, divided by the number of dots of the batch."""

    def forward(self, logits: Tensor, dots: list[Tensor]) -> dict[str, Tensor]:
        entropy = F.binary_cross_entropy_with_logits(logits, heat(logits, dots), reduction="sum")
        return {"loss": entropy / sum(map(len, dots))}
