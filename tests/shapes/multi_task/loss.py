"""The objective, Equation (3)."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """L = L_digit + λ L_turn, Equation (3), of those tasks that are given as logits (B, K) and labels (B,)."""

    def __init__(self, turn_weight: float):
        super().__init__()
        self.weights = {"digit": 1.0, "turn": turn_weight}

    def forward(self, tasks: dict[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        terms = {task: F.cross_entropy(logits, labels) for task, (logits, labels) in tasks.items()}
        return {"loss": sum(self.weights[task] * term for task, term in terms.items()), **terms}
