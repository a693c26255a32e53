"""The objective: what the paper minimises."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperLoss(nn.Module):
    """Cross-entropy with label smoothing.

    TODO(paper): the paper's objective, as in Equation (…).

    Args:
        smoothing: ε, the probability spread over all classes in training, in [0, 1).

    Shapes:
        logits (B, K) float, labels (B,) long; returns scalars.
    """

    def __init__(self, smoothing: float = 0.0):
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The terms of the loss by name, their total under ``loss``."""
        cross_entropy = F.cross_entropy(logits, labels, label_smoothing=self.smoothing * self.training)
        # TODO(paper): add the paper's further terms here, L = L_main + λ · L_aux, and name each in the dict.
        return {"loss": cross_entropy}
